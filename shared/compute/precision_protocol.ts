import { z } from 'zod'

/** What the process that measures precisions is told. */
export const settingsSchema = z.object({ threads: z.int().min(1), gpu: z.int().min(0).optional() })
export type PrecisionSettings = z.infer<typeof settingsSchema>

/** What it tells: bf16's rate over f32's, or why there is none. */
export const measurementSchema = z.union([z.object({ ratio: z.number().positive() }), z.object({ failure: z.string() })])
export type PrecisionMeasurement = z.infer<typeof measurementSchema>
