import { z } from 'zod'
import { compressions } from '../compress/format.ts'
import { networkSchema } from '../network/network.ts'
import { engineInfoSchema, laneReportSchema } from '../wire/messages.ts'

/** What is asked of a compute process. Requests take effect in order; `init`, `push`, `take`, `clear` and `logits` are answered in order. */
export const requestSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('init'),
    network: networkSchema,
    seed: z.number(),
    compress: z.enum(compressions),
    engine: z.enum(['native', 'wasm']),
    precision: z.enum(['f32', 'bf16']),
    threads: z.number(),
    gpu: z.number().nullable(),
  }),
  /** Body: float32 parameters. */
  z.object({ type: z.literal('parameters') }),
  /** Body: uint8 images. */
  z.object({ type: z.literal('push'), node: z.number(), lane: z.number(), step: z.number(), samples: z.array(z.number()), labels: z.array(z.number()) }),
  z.object({ type: z.literal('add'), node: z.number() }),
  z.object({ type: z.literal('take') }),
  z.object({ type: z.literal('clear') }),
  /** Body: uint8 images. */
  z.object({ type: z.literal('logits'), count: z.number() }),
])
export type Request = z.infer<typeof requestSchema>

export const replySchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready'), info: engineInfoSchema, fingerprint: z.string(), note: z.string().nullable() }),
  /** The lane has been computed, from when to when. */
  z.object({ type: z.literal('pushed'), begin: z.number(), end: z.number() }),
  /** Body: float32 gradient sums. */
  z.object({ type: z.literal('partial'), lanes: z.array(laneReportSchema) }),
  /** Body: float32 logits. */
  z.object({ type: z.literal('logits') }),
  z.object({ type: z.literal('cleared') }),
  /** The process ends after this. */
  z.object({ type: z.literal('failed'), message: z.string() }),
])
export type Reply = z.infer<typeof replySchema>

/** Descriptors of the two pipes in the compute process; 0 to 2 are the standard streams. */
export const REQUEST_FD = 3
export const REPLY_FD = 4
