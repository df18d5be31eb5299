import { KeyedRandom, Purpose } from '../random/philox.ts'
import { viewOf, type Layout } from './layout.ts'

/**
 * Initial parameters as the article's framework (PyTorch) draws them by default: kernels and biases uniform in
 * +-1 / sqrt(fan in), which is `kaiming_uniform_` with a = sqrt(5) for the kernels; batch norm starts as the identity.
 * Each parameter has a random stream of its own, so a new layer changes no other layer's values.
 * @returns flat float32 vector of the layout's size.
 */
export function initialParameters(layout: Layout, seed: number): Float32Array {
  const vector = new Float32Array(layout.size)
  layout.parameters.forEach((parameter, index) => {
    const values = viewOf(vector, parameter)
    switch (parameter.role) {
      case 'kernel':
      case 'bias': {
        const random = new KeyedRandom(seed, Purpose.init, index)
        const bound = 1 / Math.sqrt(parameter.fanIn)
        for (let i = 0; i < values.length; i++) values[i] = random.between(-bound, bound)
        break
      }
      case 'gamma':
      case 'runningVariance':
        values.fill(1)
        break
      case 'beta':
      case 'runningMean':
        break
    }
  })
  return vector
}
