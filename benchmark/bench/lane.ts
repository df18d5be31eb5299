import { initialParameters } from '../../shared/model/initial.ts'
import { articleNetwork } from '../../shared/model/article.ts'
import { layoutOf } from '../../shared/model/layout.ts'
import type { Network } from '../../shared/model/network.ts'
import { KeyedRandom, Purpose } from '../../shared/random/philox.ts'
import type { PreparedLane } from '../../shared/lanes/lane_stack.ts'

const CLASSES = 10

/** The network on which a worker's step is measured: the article's, with fresh weights. */
export function benchNetwork(imageSize: number): { network: Network; parameters: Float32Array } {
  const network = articleNetwork({ imageSize, classes: CLASSES })
  return { network, parameters: initialParameters(layoutOf(network), 0, 'pytorch') }
}

/** A lane of random images. */
export function benchLane({ imageSize }: Network, batch: number): PreparedLane {
  const random = new KeyedRandom(0, Purpose.draw)
  const samples = Array.from({ length: batch }, (_, index) => index)
  return {
    lane: 0, step: 0, samples, labels: samples.map((index) => index % CLASSES),
    images: Uint8Array.from({ length: batch * imageSize * imageSize * 3 }, () => random.below(256)),
  }
}
