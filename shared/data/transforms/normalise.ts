import { z } from 'zod'
import { fixedTransform } from './transform.ts'

const means = z.tuple([z.number(), z.number(), z.number()])
const deviations = z.tuple([z.number().positive(), z.number().positive(), z.number().positive()])

/**
 * The transform normalise: torchvision's Normalize, (value / 255 - mean) / std for each channel. The engine computes it, as the first layer
 * of the network that it compiles. A mean or std of null stands for the network's own.
 */
export const normalise = fixedTransform({
  schema: z.strictObject({ name: z.literal('normalise'), mean: means.nullable().default(null), std: deviations.nullable().default(null) }),
  takes: ['window'],
  gives: 'normalised',
})

/** Mean and standard deviation of each channel, red, green and blue, of values in [0, 1]. */
export interface Normalisation {
  mean: z.output<typeof means>
  std: z.output<typeof deviations>
}
