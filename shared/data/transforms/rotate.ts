import { z } from 'zod'
import { randomTransform } from './transform.ts'

/** torchvision's RandomRotation on PIL images: by an angle drawn uniformly from [-degrees, degrees), nearest neighbour, black corners. */
export const rotate = randomTransform({
  schema: z.strictObject({ name: z.literal('rotate'), degrees: z.number().min(0).max(45).default(40) }),
  takes: ['photograph'],
  gives: 'turned',
  // Stream 0's first word is flip's.
  draws: { stream: 0, skip: 1, draw: ({ degrees }, random) => random.between(-degrees, degrees) },
  aim: (geometry, degrees: number) => ({ ...geometry, degrees }),
})
