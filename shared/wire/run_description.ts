import { z } from 'zod'
import { networkSchema } from '../network/network.ts'

/** What a worker must know of a run to compute its part of it: sent in Welcome. */
export const runDescriptionSchema = z.object({
  network: networkSchema,
  engine: z.enum(['native', 'wasm']),
  precision: z.enum(['f32', 'bf16']),
  threads: z.int().min(1).max(1024),
  seed: z.int().min(0).max(4294967295),
  batch: z.int().min(1),
  lanes: z.int().min(1),
  /** Test images in one block of the evaluation. */
  datasetDigest: z.string().regex(/^[0-9a-f]{64}$/),
})
export type RunDescription = z.infer<typeof runDescriptionSchema>
