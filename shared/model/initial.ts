import { KeyedRandom, Purpose } from '../random/philox.ts'
import { viewOf, type Layout } from './layout.ts'

export const initialisations = ['pytorch', 'he'] as const
export type Initialisation = (typeof initialisations)[number]

/**
 * Draws the initial parameters. `pytorch` is the default of the article's framework: kernels and biases uniform in +-1 / sqrt(fan in), which for
 * kernels is `kaiming_uniform_` with a = sqrt(5). `he` is uniform in +-sqrt(6 / fan in) with zero biases (He et al., "Delving Deep into
 * Rectifiers", 2015), which preserves the signal's magnitude through many ReLU layers. Batch norm starts as the identity. Each parameter has its
 * own random stream, keyed by its index in the layout, so a layer that is added at the end changes no other layer's values.
 * @returns flat float32 vector of the layout's size
 */
export function initialParameters(layout: Layout, seed: number, initialisation: Initialisation = 'pytorch'): Float32Array {
  const vector = new Float32Array(layout.size)
  layout.parameters.forEach((parameter, index) => {
    const values = viewOf(vector, parameter)
    switch (parameter.role) {
      case 'kernel':
        fillUniform(values, initialisation === 'he' ? Math.sqrt(6 / parameter.fanIn) : 1 / Math.sqrt(parameter.fanIn), new KeyedRandom(seed, Purpose.init, index))
        break
      case 'bias':
        if (initialisation === 'pytorch') fillUniform(values, 1 / Math.sqrt(parameter.fanIn), new KeyedRandom(seed, Purpose.init, index))
        break
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

function fillUniform(values: Float32Array, bound: number, random: KeyedRandom): void {
  for (let i = 0; i < values.length; i++) values[i] = random.between(-bound, bound)
}
