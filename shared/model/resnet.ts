import { batchNorm, classifier, convolution, zeroPad, type NamedLayer } from './named_layers.ts'

/**
 * Residual networks (He et al., "Deep Residual Learning for Image Recognition", 2015) as torchvision has them: in a bottleneck, the 3x3 convolution has the stride.
 */

const relu: NamedLayer = { type: 'relu' }
const STAGE_FILTERS = [64, 128, 256, 512]

/** One block, without its shortcut. @param name of the block's module @param filters that the block puts out, a bottleneck four times as many */
type Block = (name: string, filters: number, stride: number) => NamedLayer[]

const basicBlock: Block = (name, filters, stride) => [
  ...convolution(`${name}.conv1`, filters, { kernel: 3, stride }), batchNorm(`${name}.bn1`), relu,
  ...convolution(`${name}.conv2`, filters, { kernel: 3 }), batchNorm(`${name}.bn2`),
]

const bottleneck: Block = (name, filters, stride) => [
  ...convolution(`${name}.conv1`, filters, { kernel: 1 }), batchNorm(`${name}.bn1`), relu,
  ...convolution(`${name}.conv2`, filters, { kernel: 3, stride }), batchNorm(`${name}.bn2`), relu,
  ...convolution(`${name}.conv3`, 4 * filters, { kernel: 1 }), batchNorm(`${name}.bn3`),
]

/** @param expansion filters that a block puts out for each that it is asked for @param counts blocks of each stage */
function resnet(block: Block, expansion: number, counts: readonly number[], classes: number): NamedLayer[] {
  const stages = counts.flatMap((count, stage) =>
    Array.from({ length: count }, (_, index): NamedLayer[] => {
      const name = `layer${stage + 1}.${index}`
      const filters = STAGE_FILTERS[stage]
      const stride = stage > 0 && index === 0 ? 2 : 1
      // The first block of a stage changes the number of channels, but for the first stage of basic blocks, which are as wide as the stem.
      const changes = index === 0 && (stage > 0 || expansion > 1)
      const shortcut = changes ? [...convolution(`${name}.downsample.0`, expansion * filters, { kernel: 1, stride }), batchNorm(`${name}.downsample.1`)] : []
      return [{ type: 'residual', layers: block(name, filters, stride), shortcut }, relu]
    }).flat())
  return [
    ...convolution('conv1', STAGE_FILTERS[0], { kernel: 7, stride: 2 }), batchNorm('bn1'), relu,
    // No value is negative here, so that zeros are as good a margin as PyTorch's minus infinity.
    zeroPad(1), { type: 'maxPool', size: 3, stride: 2 },
    ...stages,
    ...classifier('fc', classes),
  ]
}

/** 18 layers of basic blocks: 11,689,512 parameters for 1,000 classes. */
export function resnet18(classes: number): NamedLayer[] {
  return resnet(basicBlock, 1, [2, 2, 2, 2], classes)
}

/** 50 layers of bottlenecks: 25,557,032 parameters for 1,000 classes. */
export function resnet50(classes: number): NamedLayer[] {
  return resnet(bottleneck, 4, [3, 4, 6, 3], classes)
}
