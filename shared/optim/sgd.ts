import { z } from 'zod'
import { lookaheadSchema } from './lookahead.ts'
import { defineOptimizer, type StepElements } from './optimizer.ts'

/**
 * Stochastic gradient descent with momentum, as in PyTorch, with every operation rounded to float32. Weight decay is part of the gradient (L2)
 * and applies to kernels only: biases and the parameters of norms are not decayed.
 *
 *   g = sum / samples * scale + weightDecay p          b = momentum b + g
 *   p = p - rate * b, or with Nesterov's momentum p - rate * (g + momentum b)
 */
export const sgd = defineOptimizer({
  schema: z
    .strictObject({
      name: z.literal('sgd'),
      momentum: z.number().min(0).lt(1).default(0.9),
      nesterov: z.boolean().default(false),
      weightDecay: z.number().min(0).finite().default(0),
      lookahead: lookaheadSchema.optional(),
    })
    .refine(({ momentum, nesterov }) => !nesterov || momentum > 0, { path: ['nesterov'], message: 'needs a momentum above 0' }),
  moments: ['momentum'],
  kernel: 'sgd',
  stepViews: stepSgdViews,
  coefficients: ({ momentum, nesterov, weightDecay }, { rate }, decays) => [decays ? weightDecay : 0, momentum, nesterov ? 1 : 0, nesterov ? momentum : 1, rate],
})

/**
 * Steps elements by SGD in plain TypeScript: the inner loop that the kernel is held to. Without Nesterov's momentum the direction is 0 * g + 1 *
 * b, which is exactly b.
 */
function stepSgdViews(...[sum, from, to, coefficients]: Parameters<StepElements>): void {
  const f = Math.fround
  const [samples, scale, decay, momentum, ofGradient, ofMomentum, rate] = coefficients
  const { parameters, moments: [b] } = from
  const { parameters: parametersNext, moments: [bNext] } = to
  for (let i = 0; i < sum.length; i++) {
    const g = f(f(f(sum[i] / samples) * scale) + f(decay * parameters[i]))
    const bi = f(f(momentum * b[i]) + g)
    const direction = f(f(ofGradient * g) + f(ofMomentum * bi))
    bNext[i] = bi
    parametersNext[i] = f(parameters[i] - f(rate * direction))
  }
}
