import { blockSamples } from '../shared/evaluation/blocks.ts'
import type { Deal } from '../shared/wire/messages.ts'

/** A block of the test set whose images are decoded. */
export interface ReadyBlock {
  deal: Deal
  block: number
  /** Ids of the block's samples. */
  samples: number[]
  /** Decoded images: uint8 [samples, imageSize, imageSize, 3]. */
  images: Uint8Array
  /** Time when the block was dealt, in seconds. */
  dealtAt: number
}

interface WaitingBlock extends Omit<ReadyBlock, 'images'> {
  /** Decoded images; undefined until they are ready. */
  images: Uint8Array | undefined
  decoding: boolean
}

/** Number of blocks whose images are decoded ahead: the next one and one more, so that decoding overlaps with computing. */
const DECODED_AHEAD = 2

export interface TestBlocksParts {
  /** Ids of all test images, in the order in which blocks are cut. */
  test: readonly number[]
  /** Decodes images to uint8 [samples, imageSize, imageSize, 3]. */
  images: (samples: readonly number[]) => Promise<Uint8Array>
  /** Clock in seconds. */
  now: () => number
  /** Notification that a block's images have been decoded. */
  onDecoded: () => void
  onFailure: (error: unknown) => void
}

/** The blocks of the test set that a worker has been dealt and not begun, in their order. The worker computes them when it has no lane to compute. */
export class TestBlocks {
  readonly #parts: TestBlocksParts
  #blocks: WaitingBlock[] = []

  constructor(parts: TestBlocksParts) {
    this.#parts = parts
  }

  /** Deal of the next block; undefined if there is no block. */
  get next(): Deal | undefined {
    return this.#blocks.at(0)?.deal
  }

  /** True if there is a next block and its images are decoded. */
  get isDecoded(): boolean {
    return this.#blocks.at(0)?.images !== undefined
  }

  /** Adds the blocks of a deal and begins to decode images if few are ready. */
  deal(deal: Deal): void {
    const dealtAt = this.#parts.now()
    for (const block of deal.units) this.#blocks.push({ deal, block, samples: blockSamples(this.#parts.test, block), images: undefined, decoding: false, dealtAt })
    this.#decodeAhead()
  }

  /** Removes and returns the next block; undefined if there is none or its images are not decoded yet. */
  take(): ReadyBlock | undefined {
    const first = this.#blocks.at(0)
    if (first?.images === undefined) return undefined
    this.#blocks.shift()
    this.#decodeAhead()
    return { ...first, images: first.images }
  }

  /**
   * Drops blocks of a round that are not begun.
   * @param blocks numbers of the blocks; undefined: all of the round
   */
  leaveOut(round: number, blocks?: readonly number[]): void {
    this.#blocks = this.#blocks.filter(({ deal, block }) => deal.round !== round || blocks?.includes(block) === false)
    this.#decodeAhead()
  }

  #decodeAhead(): void {
    for (const waiting of this.#blocks.slice(0, DECODED_AHEAD)) {
      if (waiting.decoding) continue
      waiting.decoding = true
      this.#parts.images(waiting.samples).then((images) => {
        waiting.images = images
        this.#parts.onDecoded()
      }).catch(this.#parts.onFailure)
    }
  }
}
