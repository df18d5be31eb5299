import { batchNorm, classifier, convolution, depthwise, type NamedLayer } from './named_layers.ts'

const relu6: NamedLayer = { type: 'relu6' }

/** Groups of blocks: how many times a block widens its input, filters that it puts out, number of blocks, stride of the first. */
const GROUPS = [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]] as const
const STEM_FILTERS = 32
const LAST_FILTERS = 1280

/**
 * MobileNetV2 (Sandler et al., "Inverted Residuals and Linear Bottlenecks", 2018) as torchvision has it: 3,504,872 parameters for 1,000 classes.
 */
export function mobilenetV2(classes: number): NamedLayer[] {
  const layers: NamedLayer[] = [...convolution('features.0.0', STEM_FILTERS, { kernel: 3, stride: 2 }), batchNorm('features.0.1'), relu6]
  let channels = STEM_FILTERS
  let feature = 1
  for (const [expansion, filters, count, firstStride] of GROUPS) {
    for (let index = 0; index < count; index++) {
      const stride = index === 0 ? firstStride : 1
      const block = invertedResidual(`features.${feature++}.conv`, { channels, expansion, filters, stride })
      layers.push(...(stride === 1 && channels === filters ? [{ type: 'residual' as const, layers: block, shortcut: [] }] : block))
      channels = filters
    }
  }
  return [...layers, ...convolution(`features.${feature}.0`, LAST_FILTERS, { kernel: 1 }), batchNorm(`features.${feature}.1`), relu6, ...classifier('classifier.1', classes, 0.2)]
}

/** A block that widens, looks at each channel by itself, and narrows. @param name of its sequence of modules, which begins with the widening, if there is one */
function invertedResidual(name: string, { channels, expansion, filters, stride }: { channels: number; expansion: number; filters: number; stride: number }): NamedLayer[] {
  const widening = expansion === 1 ? [] : [...convolution(`${name}.0.0`, channels * expansion, { kernel: 1 }), batchNorm(`${name}.0.1`), relu6]
  const next = expansion === 1 ? 0 : 1
  return [
    ...widening,
    ...depthwise(`${name}.${next}.0`, { kernel: 3, stride }), batchNorm(`${name}.${next}.1`), relu6,
    ...convolution(`${name}.${next + 1}`, filters, { kernel: 1 }), batchNorm(`${name}.${next + 2}`),
  ]
}
