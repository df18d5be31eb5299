import type { Checkpoint } from '../../shared/checkpoint/checkpoint.ts'
import { torchNetwork, type TorchLayer } from '../../shared/checkpoint/torch_weights.ts'
import { OnnxGraph } from './onnx_graph.ts'
import type { Preprocessing } from './preprocessing.ts'

/** Keys of the texts that travel in the file. */
const PREPROCESSING_KEY = 'preprocessing'
const CLASSES_KEY = 'classes'

/**
 * Encodes an ONNX model of pixel values 0..255, [batch, 3, imageSize, imageSize], which it normalises itself, that gives logits. Its weights have PyTorch's order,
 * and the names that they have in a safetensors file. Dropout, which does nothing where nothing is trained, is left out. The file's metadata has the preprocessing
 * and the class names, as JSON.
 * @throws UsageError if the network cannot be expressed with channels first
 */
export function onnxModel(checkpoint: Checkpoint, preprocessing: Preprocessing): Uint8Array {
  const { network, classes } = checkpoint
  const { input, output } = preprocessing
  const { tensors, layers } = torchNetwork(checkpoint)
  const graph = new OnnxGraph()
  for (const { name, shape, values } of tensors) graph.floats(name, shape, values)

  const perChannel = (name: string, values: readonly number[]): string => graph.floats(name, [1, values.length, 1, 1], Float32Array.from(values, (value) => 255 * value))
  // (value / 255 - mean) / std = (value - 255 mean) / (255 std)
  const centred = graph.node('centred', 'Sub', [input.name, perChannel('mean', network.mean)])
  const normalised = graph.node('normalised', 'Div', [centred, perChannel('std', network.std)])

  const channelsOf = new Map(tensors.map(({ name, shape }) => [name, shape[0]]))
  const walk = (list: readonly TorchLayer[], image: string, prefix: string): string =>
    list.reduce((x, layer, index) => {
      const path = `${prefix}${index}`
      if (layer.type !== 'residual') return addLayer(graph, layer, path, x, channelsOf)
      return graph.node(path, 'Add', [walk(layer.layers, x, `${path}.layers.`), walk(layer.shortcut, x, `${path}.shortcut.`)])
    }, image)
  walk(layers, normalised, '')

  return graph.finish({
    name: network.name,
    description: `A classifier of images with ${classes.length} classes.`,
    input: { ...input, description: `float32: red, green and blue pixel values from 0 to 255, not normalised (the model does that)` },
    output: { ...output, description: 'float32: logits; softmax gives probabilities' },
    metadata: { [PREPROCESSING_KEY]: JSON.stringify(preprocessing), [CLASSES_KEY]: JSON.stringify(classes) },
  })
}

type SimpleTorchLayer = Exclude<TorchLayer, { type: 'residual' }>

/**
 * Adds the operators of a layer whose weights are in the graph.
 * @param path name of the layer: that of its weights up to the last full stop
 * @param x name of its input
 * @param channelsOf first dimension of each tensor by name
 * @returns name of its output
 */
function addLayer(graph: OnnxGraph, layer: SimpleTorchLayer, path: string, x: string, channelsOf: ReadonlyMap<string, number>): string {
  const weights = (...names: string[]): string[] => names.map((name) => `${path}.${name}`)
  switch (layer.type) {
    case 'conv2d':
    case 'depthwiseConv2d': {
      const group = layer.type === 'conv2d' ? 1 : (channelsOf.get(`${path}.weight`) ?? 1)
      return graph.node(path, 'Conv', [x, ...weights('weight', ...(layer.bias ? ['bias'] : []))], { ...window(layer.kernel, layer), group: { int: group } })
    }
    case 'maxPool':
      return graph.node(path, 'MaxPool', [x], window(layer.size, layer))
    case 'averagePool':
      // Only positions of the image count, as in TensorFlow.
      return graph.node(path, 'AveragePool', [x], { ...window(layer.size, layer), count_include_pad: { int: 0 } })
    case 'zeroPad': {
      const { before, after } = layer
      return graph.node(path, 'Pad', [x, graph.integers(`${path}.pads`, [0, 0, before, before, 0, 0, after, after])])
    }
    case 'globalAveragePool':
      return graph.node(path, 'Flatten', [graph.node(`${path}.average`, 'GlobalAveragePool', [x])])
    case 'flatten':
      return graph.node(path, 'Flatten', [x])
    case 'dense':
      return graph.node(path, 'Gemm', [x, ...weights('weight', ...(layer.bias ? ['bias'] : []))], { transB: { int: 1 } })
    case 'batchNorm':
      return graph.node(path, 'BatchNormalization', [x, ...weights('weight', 'bias', 'running_mean', 'running_var')], { epsilon: { float: layer.epsilon } })
    case 'relu':
      return graph.node(path, 'Relu', [x])
    case 'relu6':
      return graph.node(path, 'Clip', [x, graph.floats(`${path}.least`, [], Float32Array.of(0)), graph.floats(`${path}.most`, [], Float32Array.of(6))])
    case 'silu':
      return graph.node(path, 'Mul', [x, graph.node(`${path}.gate`, 'Sigmoid', [x])])
    case 'hardSwish':
      return graph.node(path, 'Mul', [x, graph.node(`${path}.gate`, 'HardSigmoid', [x], { alpha: { float: 1 / 6 }, beta: { float: 0.5 } })])
    case 'dropout':
      return x
  }
}

/** Settings of an operator that slides a window: [before, before, after, after] are rows and columns that it adds around the image. */
function window(size: number, { stride, pad: [before, after] = [0, 0] }: { stride: number; pad?: [number, number] }): { kernel_shape: { ints: number[] }; strides: { ints: number[] }; pads: { ints: number[] } } {
  return { kernel_shape: { ints: [size, size] }, strides: { ints: [stride, stride] }, pads: { ints: [before, before, after, after] } }
}
