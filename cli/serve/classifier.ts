import type { Checkpoint } from '../../shared/checkpoint/checkpoint.ts'
import { decodeImage } from '../../shared/data/transforms/decode.ts'
import { decodeTarget, type TransformLists } from '../../shared/data/transforms/transforms.ts'
import { evaluationPixels, likeliest, probabilitiesOf } from '../../shared/evaluation/probabilities.ts'
import { CheckpointError } from '../../shared/kit/errors.ts'
import type { PhotoPrediction } from '../../live/view.ts'
import { Batcher, type ComputeBatch } from './batcher.ts'

/** Limit of an image, 33 megapixels: some formats decode to the whole picture in memory, three bytes a pixel, first; four are decoded at a time. */
const MAX_IMAGE_PIXELS = 2 ** 25

/** Limits of what is taken in. */
export interface ClassifierLimits {
  /** Most images that are computed at once. */
  maxBatch: number
  /** Longest time for which an image waits for others to be computed with, in milliseconds. */
  maxWaitMs: number
  /** Most images that have been taken and not been answered. */
  queue: number
}

/** Classifies images that come one by one, with the weights of a checkpoint: they are decoded beside each other, in threads, and computed in batches. */
export class Classifier {
  readonly #checkpoint: Checkpoint
  readonly #file: string
  readonly #transforms: TransformLists
  readonly #batcher: Batcher
  readonly #queue: number
  #taken = 0

  constructor({ checkpoint, file, transforms }: { checkpoint: Checkpoint; file: string; transforms: TransformLists }, compute: ComputeBatch, limits: ClassifierLimits) {
    this.#checkpoint = checkpoint
    this.#file = file
    this.#transforms = transforms
    this.#batcher = new Batcher(compute, limits)
    this.#queue = limits.queue
  }

  /** Number of images that have been taken and not been answered. */
  get taken(): number {
    return this.#taken
  }

  /** True if no more images are taken for now. */
  get isFull(): boolean {
    return this.#taken >= this.#queue
  }

  /** Number of classes. */
  get classes(): number {
    return this.#checkpoint.classes.length
  }

  /**
   * Classifies an image file. The caller looks at `isFull` before.
   * @param top number of classes in the answer, the likeliest first
   * @throws DataError if it is no image; CheckpointError if the network's outputs are no numbers; EngineError if they cannot be computed
   */
  async classify(image: Buffer, top: number): Promise<PhotoPrediction> {
    this.#taken++
    try {
      const { network, classes, position } = this.#checkpoint
      const decoded = await decodeImage(image, decodeTarget(this.#transforms, network.imageSize), 'The image', MAX_IMAGE_PIXELS)
      const logits = await this.#batcher.logits(evaluationPixels([decoded], network.imageSize, this.#transforms.evaluation))
      const probabilities = probabilitiesOf(logits, network.classes)
      if (probabilities === undefined) throw new CheckpointError(`${this.#file} gives no numbers: its training diverged. Use an earlier checkpoint.`)
      return { step: position.step, epoch: position.epoch, classes: likeliest(probabilities[0], classes, top) }
    } finally {
      this.#taken--
    }
  }
}
