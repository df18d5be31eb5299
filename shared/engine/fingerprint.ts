import { createHash } from 'node:crypto'
import { initialParameters } from '../model/initial.ts'
import { layoutOf } from '../model/layout.ts'
import { networkSchema } from '../model/network.ts'
import { KeyedRandom, Purpose } from '../random/philox.ts'
import { bytesOf } from '../kit/floats.ts'
import type { Engine } from './engine.ts'

/** A small fixed problem with the layers that do most of the arithmetic. It must never change, or fingerprints of old runs lose their meaning. */
const problem = networkSchema.parse({
  name: 'fingerprint',
  imageSize: 32,
  classes: 10,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  layers: [
    { type: 'conv2d', filters: 16, kernel: 3 },
    { type: 'relu' },
    { type: 'conv2d', filters: 32, kernel: 3 },
    { type: 'relu' },
    { type: 'maxPool', size: 2, stride: 2 },
    { type: 'flatten' },
    { type: 'dense', units: 64 },
    { type: 'relu' },
    { type: 'dense', units: 10 },
  ],
})
const SAMPLES = 8

/**
 * Computes a numerics fingerprint: a hash of the gradient of a small fixed problem. Machines whose fingerprints are equal compute
 * the same bits, as far as a small problem can tell.
 * @param create compiles a network on the engine whose fingerprint is computed.
 * @param known what else is known to decide the bits, and shows with other networks only
 * @returns 16 hexadecimal digits
 */
export async function numericsFingerprint(create: (network: typeof problem) => Promise<Engine>, known: readonly string[] = []): Promise<string> {
  const engine = await create(problem)
  try {
    const layout = layoutOf(problem)
    const random = new KeyedRandom(0, Purpose.fingerprint)
    const images = Uint8Array.from({ length: SAMPLES * 32 * 32 * 3 }, () => random.below(256))
    const labels = Int32Array.from({ length: SAMPLES }, (_, i) => i % 10)
    const gradient = new Float32Array(layout.size)
    engine.setParameters(initialParameters(layout, 0))
    engine.laneGradient({ images, labels, masks: [] }, gradient)
    return createHash('sha256').update(bytesOf(gradient)).update(known.join()).digest('hex').slice(0, 16)
  } finally {
    engine.dispose()
  }
}
