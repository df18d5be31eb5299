import { z } from 'zod'
import { KeyedRandom, Purpose } from '../random/philox.ts'
import { viewOf, type Layout } from './layout.ts'

export const initialisations = ['pytorch', 'he'] as const
export type Initialisation = (typeof initialisations)[number]

/** Weights that a run began with: the name of their file, without its folder, and the sha256 of its bytes. */
const weightsFileSchema = z.strictObject({ file: z.string().min(1), sha256: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits') })

/** Schema of what a run began with: values that are drawn, or those of a file, whose bytes are known by their hash. */
export const initSchema = z.union([z.enum(initialisations), weightsFileSchema])
export type Init = z.infer<typeof initSchema>

/** Schema of what can be asked for: the same, or the path of a file. */
export const askedInitSchema = z.union([initSchema, z.string().min(1)])
export type AskedInit = z.infer<typeof askedInitSchema>

/**
 * Draws the initial parameters. `pytorch` is the default of the article's framework: kernels and biases uniform in +-1 / sqrt(fan in), which for
 * kernels is `kaiming_uniform_` with a = sqrt(5). `he` is uniform in +-sqrt(6 / fan in) with zero biases (He et al., "Delving Deep into
 * Rectifiers", 2015), which preserves the signal's magnitude through many ReLU layers. Batch norm starts as the identity. Each parameter has its
 * own random stream, keyed by its index in the layout, so a layer that is added at the end changes no other layer's values. Where weights come from a file, those that it lacks are as by `pytorch`.
 * @returns flat float32 vector of the layout's size
 */
export function initialParameters(layout: Layout, seed: number, init: Init = 'pytorch'): Float32Array {
  const vector = new Float32Array(layout.size)
  layout.parameters.forEach((parameter, index) => {
    const values = viewOf(vector, parameter)
    switch (parameter.role) {
      case 'kernel':
        fillUniform(values, init === 'he' ? Math.sqrt(6 / parameter.fanIn) : 1 / Math.sqrt(parameter.fanIn), new KeyedRandom(seed, Purpose.init, index))
        break
      case 'bias':
        if (init !== 'he') fillUniform(values, 1 / Math.sqrt(parameter.fanIn), new KeyedRandom(seed, Purpose.init, index))
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
