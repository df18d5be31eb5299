import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'
import { checkNetwork, dropoutLayers, networkSchema, type Network } from '../../../../shared/network/network.ts'
import { layoutOf, viewOf } from '../../../../shared/network/layout.ts'
import type { LaneInput } from '../../../../shared/engine/engine.ts'

/** A network from its layers as a user would write them, with the schema's defaults. */
export function networkOf(layers: unknown[], fields: { imageSize?: number; classes?: number; labelSmoothing?: number } = {}): Network {
  const network = networkSchema.parse({ name: 'test', imageSize: 7, classes: 3, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], layers, ...fields })
  checkNetwork(network)
  return network
}

/** The article's layers, for an image of 156 px or more. */
export function articleLayers(classes: number): unknown[] {
  const stages = [16, 32, 64, 128, 256].flatMap((filters) => [
    { type: 'conv2d', filters, kernel: 3 }, { type: 'relu' }, { type: 'conv2d', filters, kernel: 3 }, { type: 'relu' }, { type: 'maxPool', size: 2, stride: 2 },
  ])
  return [...stages, { type: 'flatten' }, { type: 'dropout', rate: 0.25 }, { type: 'dense', units: 256 }, { type: 'relu' }, { type: 'dropout', rate: 0.5 }, { type: 'dense', units: classes }]
}

/** Values of a trained network's size: He-uniform kernels, small biases, gammas near 1, positive variances. */
export function parametersOf(network: Network, seed = 1): Float32Array {
  const layout = layoutOf(network)
  const vector = new Float32Array(layout.size)
  layout.parameters.forEach((parameter, index) => {
    const random = new KeyedRandom(seed, Purpose.init, index)
    const [low, high] =
      parameter.role === 'kernel' ? [-Math.sqrt(6 / parameter.fanIn), Math.sqrt(6 / parameter.fanIn)]
      : parameter.role === 'gamma' || parameter.role === 'runningVariance' ? [0.5, 1.5]
      : [-0.3, 0.3]
    const values = viewOf(vector, parameter)
    for (let i = 0; i < values.length; i++) values[i] = random.between(low, high)
  })
  return vector
}

/** A lane of random images, labels and dropout masks. */
export function laneOf(network: Network, count: number, seed = 2): LaneInput {
  const random = new KeyedRandom(seed, Purpose.draw)
  return {
    images: Uint8Array.from({ length: count * network.imageSize * network.imageSize * 3 }, () => random.below(256)),
    labels: Int32Array.from({ length: count }, () => random.below(network.classes)),
    masks: dropoutLayers(network).map(({ rate, shape }) =>
      Float32Array.from({ length: shape.reduce((a, b) => a * b, count) }, () => (random.uniform() < rate ? 0 : 1 / (1 - rate))),
    ),
  }
}

/** Samples [from, to) of a lane. */
export function sliceLane(lane: LaneInput, from: number, to: number): LaneInput {
  const count = lane.labels.length
  const part = <T extends Uint8Array | Float32Array>(values: T): T => values.slice((values.length / count) * from, (values.length / count) * to) as T
  return { images: part(lane.images), labels: lane.labels.slice(from, to), masks: lane.masks.map(part) }
}

/** |a - b| / |b|, in the Euclidean norm. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0
  let norm = 0
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2
    norm += b[i] ** 2
  }
  return Math.sqrt(difference / norm)
}
