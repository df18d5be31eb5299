import { z } from 'zod'
import { randomTransform } from './transform.ts'

/** The transform flip: torchvision's RandomHorizontalFlip. Left and right are exchanged with the given probability. */
export const flip = randomTransform({
  schema: z.strictObject({ name: z.literal('flip'), probability: z.number().min(0).max(1).default(0.5) }),
  takes: ['photograph'],
  gives: 'photograph',
  draws: { stream: 0, draw: ({ probability }, random) => random.uniform() < probability },
  aim: (geometry, flipped: boolean) => ({ ...geometry, flip: geometry.flip !== flipped }),
})
