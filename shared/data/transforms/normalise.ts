import { z } from 'zod'
import { fixedTransform } from './transform.ts'

const means = z.tuple([z.number(), z.number(), z.number()])
const deviations = z.tuple([z.number().positive(), z.number().positive(), z.number().positive()])

/**
 * torchvision's Normalize: (value / 255 - mean) / std for each channel. The engine computes it, as the first layer of the network that it compiles.
 * Without figures, a network's own are taken.
 */
export const normalise = fixedTransform({
  schema: z.strictObject({ name: z.literal('normalise'), mean: means.nullable().default(null), std: deviations.nullable().default(null) }),
  takes: ['window'],
  gives: 'normalised',
})

/** What the network's `mean` and `std` are. */
export interface Normalisation {
  mean: z.output<typeof means>
  std: z.output<typeof deviations>
}
