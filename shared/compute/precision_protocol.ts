import { z } from 'zod'

/** Settings of the process that measures precisions: number of threads, and index of the GPU if it is to use one. */
export const settingsSchema = z.object({ threads: z.int().min(1), gpu: z.int().min(0).optional() })
export type PrecisionSettings = z.infer<typeof settingsSchema>

/** Result of that process: the speed of bf16 divided by that of f32, or why it could not be measured. */
export const measurementSchema = z.union([z.object({ ratio: z.number().positive() }), z.object({ failure: z.string() })])
export type PrecisionMeasurement = z.infer<typeof measurementSchema>
