import { z } from 'zod'
import { text } from '../kit/fields.ts'

/** Schema of an `EngineInfo` that another process sends. */
export const engineInfoSchema = z.object({
  kind: z.enum(['native', 'wasm']),
  mode: z.enum(['graph', 'eager']),
  precision: z.enum(['f32', 'bf16']),
  threads: z.int().min(1),
  device: text,
  version: text,
})
