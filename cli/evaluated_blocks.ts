import type { OpenedDataset } from '../shared/data/dataset.ts'
import { evaluationImages } from '../shared/data/sample_images.ts'
import { blockCount, blockSamples } from '../shared/evaluation/blocks.ts'
import { averageOf, mirrored } from '../shared/evaluation/mirror.ts'
import type { Notices } from './command.ts'
import type { TrainedModel } from './inference.ts'

/** What a network says of some images. */
export interface BlockLogits {
  /** Index of each image's class. */
  labels: number[]
  /** Shape [labels, classes]. */
  logits: Float32Array
  /** The same, averaged with those of the mirror images; undefined if that was not asked for. */
  averaged: Float32Array | undefined
}

/**
 * Computes images in the same blocks and the same order as a run does when it evaluates, so that the results are the same bits. The model's engine is closed at the end.
 * @param ids ids of the images
 * @param flips true to compute their mirror images too
 */
export async function* evaluatedBlocks(
  { compute, checkpoint: { network }, transforms }: TrainedModel, { dataset, source }: OpenedDataset, ids: readonly number[], { flips }: { flips: boolean }, notices: Notices,
): AsyncGenerator<BlockLogits> {
  const images = { source, samples: dataset.samples, imageSize: network.imageSize, ...transforms }
  const progress = notices.progress('evaluating')
  let done = 0
  try {
    for (let block = 0; block < blockCount(ids); block++) {
      const samples = blockSamples(ids, block)
      const prepared = await evaluationImages(images, samples)
      const mirrorImages = flips ? mirrored(prepared, network.imageSize) : undefined
      const logits = await compute.logits(prepared, samples.length)
      const averaged = mirrorImages === undefined ? undefined : averageOf(logits, await compute.logits(mirrorImages, samples.length))
      yield { labels: samples.map((id) => dataset.samples.classOf(id)), logits, averaged }
      done += samples.length
      progress.update(done, ids.length)
    }
  } finally {
    progress.end()
    await compute.close()
  }
}
