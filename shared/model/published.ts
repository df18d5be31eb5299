import { IMAGENET_MEAN, IMAGENET_STD } from './article.ts'
import { efficientnetLite0 } from './efficientnet_lite0.ts'
import { mobilenetV2 } from './mobilenet_v2.ts'
import type { PublishedNetwork } from './named_layers.ts'
import { resnet18, resnet50 } from './resnet.ts'

const imagenet = { mean: IMAGENET_MEAN, std: IMAGENET_STD }
/** TensorFlow's figures, (value - 127) / 128, which its own definition of EfficientNet-Lite normalises by (MEAN_RGB and STDDEV_RGB of its training). */
const tensorflow: typeof imagenet = { mean: [127 / 255, 127 / 255, 127 / 255], std: [128 / 255, 128 / 255, 128 / 255] }

/** Networks whose published weights load, since each of their parameters has its name in PyTorch, and pixels are normalised as these weights expect. */
export const publishedNetworks: Readonly<Record<string, PublishedNetwork>> = {
  resnet18: { layers: resnet18, ...imagenet },
  resnet50: { layers: resnet50, ...imagenet },
  mobilenet_v2: { layers: mobilenetV2, ...imagenet },
  efficientnet_lite0: { layers: efficientnetLite0, ...tensorflow },
}
