import { z } from 'zod'
import { networkSchema } from '../model/network.ts'

/** What the process that times layers is asked for. */
export const layerTimesRequestSchema = z.object({
  network: networkSchema,
  engine: z.enum(['native', 'wasm']),
  threads: z.int().min(1),
  /** Images that are computed at once. */
  lane: z.int().min(1),
  /** About how long to measure, shared out among the layers. */
  seconds: z.number().positive(),
})
export type LayerTimesRequest = z.infer<typeof layerTimesRequestSchema>

const layerTimesSchema = z.object({
  /** Version of the library that computed. */
  version: z.string(),
  /** Seconds of a whole lane's gradient. */
  step: z.number().nonnegative(),
  /** Seconds of each layer by itself, for the lane. Of a residual, its sum alone. */
  layers: z.array(z.object({ name: z.string(), forward: z.number().nonnegative(), backward: z.number().nonnegative() })),
})
export type LayerTimes = z.infer<typeof layerTimesSchema>

/** The answer: the times, or why there are none. */
export const layerTimesAnswerSchema = z.union([layerTimesSchema, z.object({ failure: z.string() })])
