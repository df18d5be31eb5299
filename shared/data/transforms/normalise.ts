import { z } from 'zod'
import { IMAGENET_MEAN, IMAGENET_STD } from '../../model/article.ts'
import { fixedTransform } from './transform.ts'

const means = z.tuple([z.number(), z.number(), z.number()])
const deviations = z.tuple([z.number().positive(), z.number().positive(), z.number().positive()])

/** torchvision's Normalize: (value / 255 - mean) / std for each channel. The engine computes it, as the first layer of the network that it compiles. */
export const normalise = fixedTransform({
  schema: z.strictObject({ name: z.literal('normalise'), mean: means.default(IMAGENET_MEAN), std: deviations.default(IMAGENET_STD) }),
  takes: ['window'],
  gives: 'normalised',
})

/** What the network's `mean` and `std` are. */
export type Normalisation = Pick<z.output<typeof normalise.schema>, 'mean' | 'std'>
