import { z } from 'zod'
import { lossSum, seconds, uint } from '../kit/fields.ts'

export const laneReportSchema = z.object({ lane: uint, lossSum, correct: uint, samples: uint, seconds, notFinite: z.boolean() })
/** What is known of a lane that was computed, besides its gradient. */
export type LaneReport = z.infer<typeof laneReportSchema>
