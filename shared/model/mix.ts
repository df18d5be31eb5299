import { z } from 'zod'

/** Parameter of the distribution Beta(alpha, alpha) from which the share of an image's own is drawn, and the probability that a lane is mixed. */
const shape = (alpha: number) => ({ alpha: z.number().min(0.05).max(2).default(alpha), probability: z.number().gt(0).max(1).default(1) })

/**
 * Schema of how training images are mixed with others of their lane, and their labels alike: MixUp blends two images (Zhang et al., "mixup: Beyond
 * Empirical Risk Minimization", 2018), CutMix puts a rectangle of one into the other (Yun et al., "CutMix", 2019).
 */
export const mixSchema = z.discriminatedUnion('name', [z.strictObject({ name: z.literal('mixUp'), ...shape(0.2) }), z.strictObject({ name: z.literal('cutMix'), ...shape(1) })])
export type Mix = z.infer<typeof mixSchema>
