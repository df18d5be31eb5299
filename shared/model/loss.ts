import { z } from 'zod'
import { UsageError } from '../kit/errors.ts'
import { mixSchema, type Mix } from './mix.ts'

/** Weight of each class: a list in the order of the classes, or `balanced`, so that all classes count alike however many images they have. */
const classWeights = z.union([z.literal('balanced'), z.array(z.number().positive().finite()).min(2)]).optional()

/** Schema of the loss that is asked for. */
export const lossSchema = z.discriminatedUnion('name', [
  z.strictObject({ name: z.literal('crossEntropy'), classWeights }),
  /** Lin et al., "Focal Loss for Dense Object Detection", 2017, formula 4: samples that are recognised count less. A `gamma` below 1 has a gradient without limit. */
  z.strictObject({ name: z.literal('focal'), gamma: z.number().min(1).max(10).default(2), classWeights }),
])
export type Loss = z.infer<typeof lossSchema>

/**
 * Schema of the loss as a network has it, where it is not plain cross entropy. With targets t (smoothed), weights w and probabilities p it is the
 * sum over classes of -w t (1 - p)^gamma log p.
 */
export const networkLossSchema = z.object({
  gamma: z.number().min(0),
  classWeights: z.array(z.number().positive()).optional(),
  /** How images are mixed in training: targets are then those of two images. */
  mix: mixSchema.optional(),
})
export type NetworkLoss = z.infer<typeof networkLossSchema>

/**
 * Decides the loss of a network.
 * @param counts number of training images of each class
 * @param mix null if images are not mixed
 * @returns undefined for plain cross entropy
 * @throws UsageError if the list of weights has another length than that of the classes
 */
export function networkLossOf(loss: Loss, counts: readonly number[], mix: Mix | null = null): NetworkLoss | undefined {
  const weights = weightsOf(loss.classWeights, counts)
  const gamma = loss.name === 'focal' ? loss.gamma : 0
  if (gamma === 0 && weights === undefined && mix === null) return undefined
  return { gamma, ...(weights === undefined ? {} : { classWeights: weights }), ...(mix === null ? {} : { mix }) }
}

function weightsOf(asked: Loss['classWeights'], counts: readonly number[]): number[] | undefined {
  if (asked === undefined) return undefined
  if (asked !== 'balanced') {
    if (asked.length !== counts.length) throw new UsageError(`--loss: classWeights has ${asked.length} weights, but there are ${counts.length} classes: give one for each, in the order of the classes' names, or "balanced".`)
    return asked
  }
  // These are scikit-learn's balanced weights, whose mean over all images is 1.
  const images = counts.reduce((sum, count) => sum + count, 0)
  return counts.map((count) => images / (counts.length * count))
}
