import { z } from 'zod'
import { lossSum, seconds, uint } from '../kit/fields.ts'
import { laneDigestSchema } from './audited_steps.ts'

export const laneReportSchema = z.object({ lane: uint, lossSum, correct: uint, samples: uint, seconds, notFinite: z.boolean(), digest: laneDigestSchema.optional() })
/**
 * The facts about a computed lane besides its gradient. `lossSum` is the cross entropy summed over its samples, `seconds` the time it took,
 * `notFinite` true if its gradient has a NaN or an infinity, `digest` the gradient's digest, in audited steps alone.
 */
export type LaneReport = z.infer<typeof laneReportSchema>
