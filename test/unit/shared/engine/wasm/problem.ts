import { dropoutLayers, networkSchema, type Network } from '../../../../../shared/model/network.ts'
import type { LaneInput } from '../../../../../shared/engine/engine.ts'
import { KeyedRandom, Purpose } from '../../../../../shared/random/philox.ts'

/** A tiny network with every kind of layer. */
export const everyLayer: Network = networkSchema.parse({
  name: 'every-layer',
  imageSize: 18,
  classes: 3,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  labelSmoothing: 0.1,
  layers: [
    { type: 'conv2d', filters: 8, kernel: 3, stride: 2, padding: 'same' },
    { type: 'relu' },
    {
      type: 'residual',
      layers: [{ type: 'conv2d', filters: 8, kernel: 3, padding: 'same', bias: false }, { type: 'batchNorm' }, { type: 'silu' }],
      shortcut: [{ type: 'depthwiseConv2d', kernel: 3, padding: 'same' }],
    },
    { type: 'relu6' },
    { type: 'averagePool', size: 2, stride: 1, padding: 'same' },
    { type: 'zeroPad', before: 1, after: 0 },
    { type: 'conv2d', filters: 12, kernel: 2 },
    { type: 'maxPool', size: 2, stride: 2 },
    { type: 'dropout', rate: 0.25 },
    { type: 'conv2d', filters: 16, kernel: 3 },
    { type: 'hardSwish' },
    { type: 'globalAveragePool' },
    { type: 'dense', units: 10 },
    { type: 'relu' },
    { type: 'dense', units: 3 },
  ],
})

/** A lane of random images, with the dropout masks that belong to it. */
export function randomLane(network: Network, count: number): LaneInput {
  const random = new KeyedRandom(7, Purpose.fingerprint)
  const pixels = count * network.imageSize ** 2 * 3
  return {
    images: Uint8Array.from({ length: pixels }, () => random.below(256)),
    labels: Int32Array.from({ length: count }, (_, sample) => sample % network.classes),
    masks: dropoutLayers(network).map(({ rate, shape }) =>
      Float32Array.from({ length: shape.reduce((a, b) => a * b, count) }, () => (random.uniform() < rate ? 0 : 1 / (1 - rate)))),
  }
}
