import { z } from 'zod'
import { compressions } from '../compress/format.ts'
import { evaluationTransformsSchema } from '../data/transforms/transforms.ts'
import { networkSchema } from '../model/network.ts'
import { laneReportSchema } from '../lanes/lane_report.ts'
import { numericsKinds } from '../engine/engine.ts'
import { engineInfoSchema } from '../engine/engine_info.ts'

/** Position and length, in bytes, of a body that is in shared memory instead of in its frame. */
const shared = z.object({ at: z.int().min(0), length: z.int().min(1) }).optional()

/** Requests to a compute process. They take effect in order; `init`, `push`, `take`, `clear`, `logits` and `photograph` are answered, in the same order. */
export const requestSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('init'),
    network: networkSchema,
    seed: z.number(),
    compress: z.enum(compressions),
    engine: z.enum(['native', 'wasm']),
    precision: z.enum(['f32', 'bf16']),
    threads: z.number(),
    numerics: z.enum(numericsKinds),
    gpu: z.number().nullable(),
    /** True if the process has inherited shared memory as descriptor `MEMORY_FD`. */
    sharesMemory: z.boolean(),
  }),
  /** Body: float32 parameters. */
  z.object({ type: z.literal('parameters'), shared }),
  /** Body: float32 frozen parameters. */
  z.object({ type: z.literal('frozen'), shared }),
  /** Body: uint8 images. */
  z.object({ type: z.literal('push'), shared, node: z.number(), lane: z.number(), step: z.number(), samples: z.array(z.number()), labels: z.array(z.number()), audited: z.boolean().optional() }),
  z.object({ type: z.literal('add'), node: z.number() }),
  /** The body of the answer may be put at `shared`. */
  z.object({ type: z.literal('take'), shared }),
  z.object({ type: z.literal('clear') }),
  /** Body: uint8 images. */
  z.object({ type: z.literal('logits'), shared, count: z.number() }),
  /** Body: an image file, which is decoded to `shortSide` here, since it may take much memory and time, and prepared for evaluation. */
  z.object({ type: z.literal('photograph'), shared, evaluation: evaluationTransformsSchema, imageSize: z.int().min(1), shortSide: z.number(), maxPixels: z.int() }),
])
export type Request = z.infer<typeof requestSchema>

export const replySchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready'), info: engineInfoSchema, fingerprint: z.string(), note: z.string().nullable() }),
  /** The lane has been computed, from `begin` to `end` in seconds of the machine's clock. */
  z.object({ type: z.literal('pushed'), begin: z.number(), end: z.number() }),
  /** Body: float32 gradient sums; with `isShared`, it is in shared memory at the place that `take` named. */
  z.object({ type: z.literal('partial'), isShared: z.boolean(), lanes: z.array(laneReportSchema) }),
  /** Body: float32 logits. */
  z.object({ type: z.literal('logits') }),
  /** The file cannot be decoded. */
  z.object({ type: z.literal('undecodable'), problem: z.string() }),
  z.object({ type: z.literal('cleared') }),
  /** An error; the process ends after this reply. */
  z.object({ type: z.literal('failed'), message: z.string() }),
])
export type Reply = z.infer<typeof replySchema>

/** Descriptors of the two pipes in the compute process; 0 to 2 are the standard streams. */
export const REQUEST_FD = 3
export const REPLY_FD = 4
/** Descriptor of the memory that the compute process shares with its parent, if there is any. */
export const MEMORY_FD = 5
