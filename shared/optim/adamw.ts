import { z } from 'zod'
import { adamCoefficients, adamMoments, adamShape, stepAdamViews } from './adam.ts'
import { lookaheadSchema } from './lookahead.ts'
import { defineOptimizer } from './optimizer.ts'

/**
 * AdamW: Adam with decoupled weight decay (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019), as in PyTorch. Before Adam's
 * step, p = p * (1 - rate * weightDecay), but for kernels only: biases and the parameters of norms are not decayed.
 */
export const adamw = defineOptimizer({
  schema: z.strictObject({ name: z.literal('adamw'), ...adamShape, weightDecay: z.number().min(0).finite().default(0.01), lookahead: lookaheadSchema.optional() }),
  moments: adamMoments,
  kernel: 'adam',
  stepViews: stepAdamViews,
  coefficients: (options, step, decays) => adamCoefficients(options, step, decays ? 1 - step.rate * options.weightDecay : 1),
})
