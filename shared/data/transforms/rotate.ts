import { z } from 'zod'
import { randomTransform } from './transform.ts'

/** The transform rotate: torchvision's RandomRotation on PIL images. The angle is drawn uniformly from [-degrees, degrees); nearest neighbour, black corners. */
export const rotate = randomTransform({
  schema: z.strictObject({ name: z.literal('rotate'), degrees: z.number().min(0).max(45).default(40) }),
  takes: ['photograph'],
  gives: 'turned',
  // The first word of stream 0 belongs to flip.
  draws: { stream: 0, skip: 1, draw: ({ degrees }, random) => random.between(-degrees, degrees) },
  aim: (geometry, degrees: number) => ({ ...geometry, degrees }),
})
