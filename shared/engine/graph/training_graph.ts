import { dropoutLayers, inputShape, type Network } from '../../model/network.ts'
import type { NetworkLoss } from '../../model/loss.ts'
import { isStatistic, viewOf, type Layout, type Parameter } from '../../model/layout.ts'
import type { Precision } from '../engine.ts'
import { Backward } from './backward.ts'
import type { GraphForms } from './forms.ts'
import { emitForward, type ParameterValue } from './forward.ts'
import { NodeBuilder, type Value } from './node_builder.ts'
import { writeSavedModel, type Endpoint, type Signature } from './saved_model.ts'

/** Names of the signatures' inputs and outputs, beside the parameters' own names. */
export const IMAGES = 'images'
export const LABELS = 'labels'
export const PARTNER_LABELS = 'partnerLabels'
export const SHARE = 'share'
export const LOSS_SUM = 'lossSum'
export const CORRECT = 'correct'
export const LOGITS = 'logits'
export const PROBABILITIES = 'probabilities'
export function maskName(index: number): string {
  return `mask_${index}`
}

/** Returns the number of 32-bit words that one image takes: its bytes are fed as int32, since tfjs has no type for bytes. */
export function wordsPerImage(network: Network): number {
  return Math.ceil((network.imageSize * network.imageSize * 3) / 4)
}

/**
 * Emits (value / 255 - mean) / std for each channel, as one product and one sum. The constants are as long as a row of pixels, since
 * constants of three channels would be repeated a few values at a time.
 */
function normalise(graph: NodeBuilder, network: Network, pixels: Value): Value {
  const length = network.imageSize * 3
  const row = (values: readonly number[]): Value => graph.floats(Float32Array.from({ length }, (_, index) => values[index % 3]), [length])
  const scale = row(network.std.map((std) => 1 / (255 * std)))
  const shift = row(network.std.map((std, channel) => -network.mean[channel] / std))
  const rows = graph.reshape(pixels, [-1, length])
  return graph.reshape(graph.operation('AddV2', [graph.operation('Mul', [rows, scale]), shift]), [-1, ...inputShape(network)])
}

/** Emits the pixels of images from their words: int32 [batch, words] -> float32 [batch, imageSize, imageSize, 3] of 0..255. */
function pixelsOfWords(graph: NodeBuilder, network: Network, words: Value): Value {
  const size = network.imageSize * network.imageSize * 3
  const padded = wordsPerImage(network) * 4
  const bytes = graph.reshape(graph.bitcast(words, 'uint8'), [-1, padded])
  const exact = size === padded ? bytes : graph.operation('Slice', [bytes, graph.integers([0, 0]), graph.integers([-1, size])], { Index: { type: 'int32' } })
  return graph.cast(graph.reshape(exact, [-1, ...inputShape(network)]), 'float32')
}

/**
 * Returns true if float32 inputs are fed as int32 of the same bits. tfjs-node moves a tensor of floats to the GPU when it is made, and
 * back to main memory, from where the graph is fed, each time that the graph runs; integers stay in main memory.
 */
export function feedsWords(forms: GraphForms): boolean {
  return forms === 'gpu'
}

/** Emits a float32 input. @returns the endpoint that is fed, and its float32 value */
function floatInput(graph: NodeBuilder, name: string, shape: readonly number[], forms: GraphForms): { input: Endpoint; value: Value } {
  if (!feedsWords(forms)) {
    const value = graph.placeholder(name, 'float32', shape)
    return { input: { value, shape }, value }
  }
  const words = graph.placeholder(name, 'int32', shape)
  return { input: { value: words, shape }, value: graph.bitcast(words, 'float32') }
}

/**
 * Emits the loss of each sample, and its gradient with respect to the logits: cross entropy against smoothed one-hot targets, which add
 * up to 1. TensorFlow has one operation for both, but does not accept it as deterministic on a GPU.
 */
function crossEntropy(graph: NodeBuilder, network: Network, logits: Value, labels: Value, partners: PartnerValues | undefined, forms: GraphForms): [loss: Value, dLogits: Value] {
  const targets = partners === undefined ? smoothedTargets(graph, network, labels) : mixedTargets(graph, network, labels, partners)
  if (network.loss !== undefined) return weightedLoss(graph, network.loss, logits, targets)
  if (forms === 'gpu') {
    const likelihoods = graph.operation('Mul', [targets, graph.operation('LogSoftmax', [logits])])
    return [graph.operation('Neg', [graph.reduce('Sum', likelihoods, [1])]), graph.operation('Sub', [graph.operation('Softmax', [logits]), targets])]
  }
  const [loss, dLogits] = graph.node('SoftmaxCrossEntropyWithLogits', [logits, targets], { T: { type: 'float32' } }, ['float32', 'float32'])
  return [loss, dLogits]
}

/** Emits smoothed one-hot targets, which add up to 1. */
function smoothedTargets(graph: NodeBuilder, { labelSmoothing, classes }: Network, labels: Value): Value {
  const off = labelSmoothing / classes
  return graph.node(
    'OneHot',
    [labels, graph.integers([classes], []), graph.floats([1 - labelSmoothing + off], []), graph.floats([off], [])],
    { T: { type: 'float32' }, TI: { type: 'int32' }, axis: { int: -1 } },
    ['float32'],
  )[0]
}

/** What feeds the labels that mixed images have besides their own. */
interface PartnerValues {
  labels: Value
  /** float32 [batch, 1]. */
  share: Value
}

/** Emits the targets of mixed images: the share of their own, and the rest of their partners'. */
function mixedTargets(graph: NodeBuilder, network: Network, labels: Value, { labels: others, share }: PartnerValues): Value {
  const own = graph.operation('Mul', [share, smoothedTargets(graph, network, labels)])
  const rest = graph.operation('Sub', [graph.floats([1], []), share])
  return graph.operation('AddV2', [own, graph.operation('Mul', [rest, smoothedTargets(graph, network, others)])])
}

/**
 * Emits a loss with weights of classes, focal or not, and its gradient with respect to the logits. With w t the weighted targets it is the sum
 * over classes k of -w t (1 - p)^gamma log p. Its gradient with respect to logit j is p_j times the sum over k of w t g, less w_j t_j g_j, where
 * g = (1 - p)^gamma - gamma p (1 - p)^(gamma - 1) log p, which is 1 if gamma is 0.
 */
function weightedLoss(graph: NodeBuilder, { gamma, classWeights }: NetworkLoss, logits: Value, targets: Value): [loss: Value, dLogits: Value] {
  const product = (...factors: Value[]): Value => factors.reduce((a, b) => graph.operation('Mul', [a, b]))
  const power = (x: Value, exponent: number): Value => (exponent === 1 ? x : graph.operation('Pow', [x, graph.floats([exponent], [])]))
  const weighted = classWeights === undefined ? targets : product(targets, graph.floats(classWeights, [classWeights.length]))
  const likelihoods = graph.operation('LogSoftmax', [logits])
  const probabilities = graph.operation('Softmax', [logits])
  const lossOf = (terms: Value): Value => graph.operation('Neg', [graph.reduce('Sum', terms, [1])])
  const gradientOf = (slopes: Value): Value => {
    const sums = graph.reshape(graph.reduce('Sum', slopes, [1]), [-1, 1])
    return graph.operation('Sub', [product(probabilities, sums), slopes])
  }
  if (gamma === 0) return [lossOf(product(weighted, likelihoods)), gradientOf(weighted)]
  const missed = graph.operation('Sub', [graph.floats([1], []), probabilities])
  const modulation = power(missed, gamma)
  // Where gamma is 1, (1 - p)^0 is a factor of 1.
  const ofModulation = gamma === 1 ? product(probabilities, likelihoods) : product(probabilities, power(missed, gamma - 1), likelihoods)
  const slopes = product(weighted, graph.operation('Sub', [modulation, product(graph.floats([gamma], []), ofModulation)]))
  return [lossOf(product(weighted, modulation, likelihoods)), gradientOf(slopes)]
}

/** Emits the number of samples whose largest logit is that of their label, as int32. */
function countCorrect(graph: NodeBuilder, logits: Value, labels: Value): Value {
  const predicted = graph.node(
    'ArgMax',
    [logits, graph.integers([1], [])],
    { T: { type: 'float32' }, Tidx: { type: 'int32' }, output_type: { type: 'int32' } },
    ['int32'],
  )[0]
  const equal = graph.node('Equal', [predicted, labels], { T: { type: 'int32' } }, ['bool'])[0]
  return graph.reduce('Sum', graph.cast(equal, 'int32'), [0])
}

/** True if the gradient's graph takes a parameter: a batch norm in training needs no running statistics. */
export function isFedToTrain(parameter: Parameter): boolean {
  return !isStatistic(parameter) || parameter.frozen === true
}

/** Gives a fetched value a node of its own, since TensorFlow's graph optimizer may fuse away the node that computes it. */
function output(graph: NodeBuilder, value: Value, shape: readonly number[]): Endpoint {
  return { value: graph.operation('Identity', [value]), shape }
}

function floatType(precision: Precision): 'float32' | 'bfloat16' {
  return precision === 'bf16' ? 'bfloat16' : 'float32'
}

/**
 * Replaces NaN by zero. The unbiased variance of a single value is zero by the CPU's kernel, but NaN by that of a GPU (seen with TensorFlow
 * 2.18 and cuDNN 9.19). This does not hide that a network diverges, since its gradients are not finite then.
 */
function zeroForNaN(graph: NodeBuilder, value: Value): Value {
  const [isNaN] = graph.node('IsNan', [value], { T: { type: value.type } }, ['bool'])
  return graph.node('SelectV2', [isNaN, graph.floats([0], []), value], { T: { type: value.type } }, [value.type])[0]
}

/**
 * Writes a SavedModel with two signatures over the same inputs:
 * - train: every parameter except running statistics (but with frozen ones), images, labels and masks -> lossSum, correct, and for every
 *   parameter that is not frozen its gradient (of the summed loss) or batch statistic, under the parameter's name;
 * - infer: every parameter and images -> logits.
 * Images are int32 [batch, wordsPerImage]; the batch is any number.
 * @param layout all parameters, in the order of computation
 */
export async function writeTrainingModel(folder: string, network: Network, layout: Layout, precision: Precision, forms: GraphForms): Promise<void> {
  const graph = new NodeBuilder()
  const type = floatType(precision)
  const words = graph.placeholder(IMAGES, 'int32', [-1, wordsPerImage(network)])
  const labels = graph.placeholder(LABELS, 'int32', [-1])
  const masks = dropoutLayers(network).map(({ shape }, index) => floatInput(graph, maskName(index), [-1, ...shape], forms))
  const partners = network.loss?.mix === undefined ? undefined : { labels: graph.placeholder(PARTNER_LABELS, 'int32', [-1]), share: floatInput(graph, SHARE, [-1, 1], forms) }
  const parameters = layout.parameters.map((parameter) => ({ parameter, ...floatInput(graph, parameter.name, parameter.shape, forms) }))
  const images = normalise(graph, network, pixelsOfWords(graph, network, words))
  const imagesInput: Endpoint = { value: words, shape: [-1, wordsPerImage(network)] }
  const endpoints = (fed: typeof parameters): Record<string, Endpoint> => Object.fromEntries(fed.map(({ parameter, input }) => [parameter.name, input]))

  const train = graph.within('train', (): Signature => {
    const { logits, steps, statistics } = emitForward(graph, network, images, { parameters, masks: masks.map(({ value }) => value), type, forms })
    const [loss, dLogits] = crossEntropy(graph, network, logits, labels, partners && { labels: partners.labels, share: partners.share.value }, forms)
    const backward = new Backward(graph, forms)
    backward.steps(steps, dLogits, false)
    const results = new Map([...backward.gradients, ...statistics.map(({ parameter, value }) => [parameter, forms === 'gpu' ? zeroForNaN(graph, value) : value] as const)])
    return {
      inputs: {
        ...endpoints(parameters.filter(({ parameter }) => isFedToTrain(parameter))),
        [IMAGES]: imagesInput,
        [LABELS]: { value: labels, shape: [-1] },
        ...(partners === undefined ? {} : { [PARTNER_LABELS]: { value: partners.labels, shape: [-1] }, [SHARE]: partners.share.input }),
        ...Object.fromEntries(masks.map(({ input }, index) => [maskName(index), input])),
      },
      outputs: {
        [LOSS_SUM]: output(graph, graph.reduce('Sum', loss, [0]), []),
        [CORRECT]: output(graph, countCorrect(graph, logits, labels), []),
        ...Object.fromEntries([...results].map(([parameter, value]) => [parameter.name, output(graph, value, parameter.shape)])),
      },
    }
  })
  const infer = graph.within('infer', (): Signature => {
    const { logits } = emitForward(graph, network, images, { parameters, masks: undefined, type, forms })
    return { inputs: { ...endpoints(parameters), [IMAGES]: imagesInput }, outputs: { [LOGITS]: output(graph, logits, [-1, network.classes]) } }
  })
  await writeSavedModel(folder, graph, { train, infer })
}

/**
 * Writes a trained network as a SavedModel for serving, with its parameters as constants, in float32. Signature
 * "serving_default": images float32 [batch, imageSize, imageSize, 3] of pixel values 0..255 -> logits and
 * probabilities, both float32 [batch, classes].
 * @param parameters flat vector in the layout's order.
 */
export async function writeInferenceSavedModel(folder: string, network: Network, layout: Layout, parameters: Float32Array): Promise<void> {
  const graph = new NodeBuilder()
  const shape = [-1, ...inputShape(network)]
  const pixels = graph.placeholder(IMAGES, 'float32', shape)
  const constants = layout.parameters.map((parameter): ParameterValue => ({ parameter, value: graph.floats(viewOf(parameters, parameter), parameter.shape, parameter.name) }))
  const { logits } = emitForward(graph, network, normalise(graph, network, pixels), { parameters: constants, masks: undefined, type: 'float32' })
  const classes = [-1, network.classes]
  await writeSavedModel(folder, graph, {
    serving_default: {
      inputs: { [IMAGES]: { value: pixels, shape } },
      outputs: { [LOGITS]: output(graph, logits, classes), [PROBABILITIES]: output(graph, graph.operation('Softmax', [logits]), classes) },
    },
  })
}
