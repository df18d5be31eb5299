import { efficientnetLite0 } from './efficientnet_lite0.ts'
import { mobilenetV2 } from './mobilenet_v2.ts'
import type { NamedBuilder } from './named_layers.ts'
import { resnet18, resnet50 } from './resnet.ts'

/** Networks whose published weights load, since each of their parameters has its name in PyTorch. */
export const publishedNetworks: Readonly<Record<string, NamedBuilder>> = { resnet18, resnet50, mobilenet_v2: mobilenetV2, efficientnet_lite0: efficientnetLite0 }
