import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'
import { checkNetwork, dropoutLayers, networkSchema, type Network } from '../../../../shared/model/network.ts'
import type { NetworkLoss } from '../../../../shared/model/loss.ts'
import { layoutOf, viewOf } from '../../../../shared/model/layout.ts'
import type { LaneInput } from '../../../../shared/engine/engine.ts'

/** Makes a network from its layers as a user would write them, with the schema's defaults. */
export function networkOf(layers: unknown[], fields: { imageSize?: number; classes?: number; labelSmoothing?: number; loss?: NetworkLoss; std?: number[] } = {}): Network {
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

const conv = (fields: object = {}) => ({ type: 'conv2d', filters: 4, kernel: 3, ...fields })
const depthwise = (fields: object = {}) => ({ type: 'depthwiseConv2d', kernel: 3, ...fields })
const relu = { type: 'relu' }
const batchNorm = { type: 'batchNorm' }
const end = [{ type: 'flatten' }, { type: 'dense', units: 3 }]
const small = [{ type: 'globalAveragePool' }, { type: 'dense', units: 3 }]

/** A small network for each kind of layer with each combination of its options. */
export const layerCases: Record<string, Network> = {
  'conv2d valid': networkOf([conv(), relu, conv(), ...end]),
  'conv2d same': networkOf([conv({ padding: 'same' }), relu, conv({ padding: 'same' }), ...small]),
  'conv2d stride 2 valid': networkOf([conv({ stride: 2 }), relu, conv({ stride: 2 }), ...end]),
  'conv2d stride 2 same': networkOf([conv({ stride: 2, padding: 'same' }), relu, conv({ stride: 2, padding: 'same' }), ...end]),
  'conv2d even kernel same': networkOf([conv({ kernel: 2, padding: 'same' }), relu, conv({ kernel: 4, padding: 'same' }), ...small]),
  'conv2d even kernel stride 2 same': networkOf([conv({ kernel: 2, padding: 'same' }), relu, conv({ kernel: 4, stride: 2, padding: 'same' }), ...end]),
  'conv2d 1x1 without bias': networkOf([conv({ kernel: 1, bias: false }), relu, conv({ kernel: 1, bias: false }), ...small]),
  'conv2d wide enough for products': networkOf([conv({ filters: 16 }), relu, conv({ filters: 32, kernel: 1 }), conv({ filters: 48, kernel: 1 }), relu, conv({ filters: 32, kernel: 1 }), ...small], { imageSize: 4 }),
  'depthwise valid': networkOf([conv({ kernel: 1 }), depthwise(), relu, ...end]),
  'depthwise same without bias': networkOf([depthwise({ padding: 'same', bias: false }), relu, depthwise({ padding: 'same' }), ...small]),
  'depthwise stride 2': networkOf([depthwise({ stride: 2 }), relu, depthwise({ stride: 2, padding: 'same' }), ...end]),
  'max pool': networkOf([conv(), { type: 'maxPool', size: 2, stride: 2 }, ...end]),
  'relu and max pool': networkOf([conv(), relu, { type: 'maxPool', size: 2, stride: 2 }, ...end]),
  'max pool overlapping': networkOf([conv(), { type: 'maxPool', size: 3, stride: 1 }, ...end]),
  'max pool overlapping same': networkOf([conv(), relu, { type: 'maxPool', size: 3, stride: 2, padding: 'same' }, ...end]),
  'average pool': networkOf([conv(), relu, { type: 'averagePool', size: 2, stride: 2 }, ...end]),
  'average pool same': networkOf([conv(), relu, { type: 'averagePool', size: 3, stride: 2, padding: 'same' }, ...end]),
  'global average pool last': networkOf([conv(), relu, conv({ filters: 3 }), { type: 'globalAveragePool' }]),
  'dense without bias': networkOf([...small.slice(0, 1), { type: 'dense', units: 5, bias: false }, relu, { type: 'dense', units: 3, bias: false }]),
  'dropout': networkOf([conv(), { type: 'dropout', rate: 0.25 }, relu, { type: 'globalAveragePool' }, { type: 'dropout', rate: 0.5 }, { type: 'dense', units: 3 }]),
  'batch norm of images': networkOf([conv({ bias: false }), batchNorm, relu, conv(), { ...batchNorm, epsilon: 1e-3 }, ...small]),
  'batch norm of vectors': networkOf([conv({ stride: 2 }), { type: 'flatten' }, { type: 'dense', units: 4 }, batchNorm, relu, { type: 'dense', units: 3 }]),
  'batch norm first': networkOf([batchNorm, conv(), relu, ...small]),
  'residual, identity shortcut': networkOf([conv(), { type: 'residual', layers: [conv({ padding: 'same' }), relu, conv({ padding: 'same' })], shortcut: [] }, relu, ...small]),
  'residual, convolution shortcut': networkOf([
    conv(),
    { type: 'residual', layers: [conv({ filters: 5, stride: 2 }), batchNorm, relu], shortcut: [conv({ filters: 5, kernel: 3, stride: 2 }), batchNorm] },
    relu, ...small,
  ]),
  'residual, max pool shortcut, first': networkOf([{ type: 'residual', layers: [conv({ filters: 3, kernel: 2, stride: 2 }), relu], shortcut: [{ type: 'maxPool', size: 2, stride: 2 }] }, ...end]),
  // Pixels are so large that values lie at both ends of these activations, and between.
  'relu6': networkOf([conv({ filters: 8, kernel: 4 }), { type: 'relu6' }, { type: 'maxPool', size: 2, stride: 2 }, conv({ kernel: 1 }), { type: 'relu6' }, ...end], { std: [0.1, 0.1, 0.1] }),
  'silu': networkOf([conv(), { type: 'silu' }, { type: 'maxPool', size: 2, stride: 1 }, { type: 'silu' }, ...end]),
  'hardSwish': networkOf([conv(), { type: 'hardSwish' }, { type: 'maxPool', size: 2, stride: 1 }, { type: 'hardSwish' }, ...end], { std: [0.1, 0.1, 0.1] }),
  "zero padding as PyTorch's": networkOf([
    { type: 'zeroPad', before: 1, after: 1 }, conv({ stride: 2 }), relu, { type: 'zeroPad', before: 1, after: 1 }, { type: 'maxPool', size: 3, stride: 2 },
    { type: 'zeroPad', before: 0, after: 2 }, depthwise(), ...end,
  ], { imageSize: 8 }),
  'label smoothing': networkOf([conv({ stride: 2 }), relu, ...end], { labelSmoothing: 0.1 }),
  'class weights, label smoothing': networkOf([conv({ stride: 2 }), relu, ...end], { labelSmoothing: 0.1, loss: { gamma: 0, classWeights: [0.5, 2, 1.25] } }),
  'focal loss': networkOf([conv({ stride: 2 }), relu, ...end], { loss: { gamma: 2 } }),
  'focal loss of gamma 1, class weights': networkOf([conv({ stride: 2 }), relu, ...end], { loss: { gamma: 1, classWeights: [0.5, 2, 1.25] } }),
  'mixed images, label smoothing': networkOf([conv({ stride: 2 }), relu, ...end], { labelSmoothing: 0.1, loss: { gamma: 0, mix: { name: 'mixUp', alpha: 0.2, probability: 1 } } }),
  'mixed images, focal loss, class weights': networkOf([conv({ stride: 2 }), relu, ...end], { loss: { gamma: 2, classWeights: [0.5, 2, 1.25], mix: { name: 'cutMix', alpha: 1, probability: 1 } } }),
  'layers without parameters first': networkOf([{ type: 'averagePool', size: 2, stride: 1 }, relu, { type: 'dropout', rate: 0.2 }, { type: 'maxPool', size: 2, stride: 2 }, ...end]),
  'image of whole words': networkOf([conv(), relu, conv(), ...small], { imageSize: 8 }),
}

/** Random parameters of the magnitudes of a trained network: He-uniform kernels, small biases, gammas near 1, positive variances. */
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
    ...(network.loss?.mix === undefined ? {} : { partners: { labels: Int32Array.from({ length: count }, () => random.below(network.classes)), share: Float32Array.from({ length: count }, () => random.uniform()) } }),
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
