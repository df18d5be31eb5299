import { blockSamples } from '../shared/evaluation/blocks.ts'
import type { Deal } from '../shared/wire/messages.ts'

/** A block of the test set, and what it is computed with. */
export interface ReadyBlock {
  deal: Deal
  block: number
  /** Sample ids. */
  samples: number[]
  images: Uint8Array
  /** When it was dealt, in seconds. */
  dealtAt: number
}

interface WaitingBlock extends Omit<ReadyBlock, 'images'> {
  /** Undefined as long as they are not decoded. */
  images: Uint8Array | undefined
  decoding: boolean
}

/** The one that is next, and one more, so that decoding overlaps with computing. */
const DECODED_AHEAD = 2

export interface TestBlocksParts {
  test: readonly number[]
  images: (samples: readonly number[]) => Promise<Uint8Array>
  now: () => number
  /** A block's images have been decoded. */
  onDecoded: () => void
  onFailure: (error: unknown) => void
}

/** Blocks of the test set that a worker has been dealt and not begun, in their order. It computes them when it has no lane to compute. */
export class TestBlocks {
  readonly #parts: TestBlocksParts
  #blocks: WaitingBlock[] = []

  constructor(parts: TestBlocksParts) {
    this.#parts = parts
  }

  /** What the next block is computed for; undefined when there is none. */
  get next(): Deal | undefined {
    return this.#blocks.at(0)?.deal
  }

  /** True when the images of the next block are here. */
  get isDecoded(): boolean {
    return this.#blocks.at(0)?.images !== undefined
  }

  deal(deal: Deal): void {
    const dealtAt = this.#parts.now()
    for (const block of deal.units) this.#blocks.push({ deal, block, samples: blockSamples(this.#parts.test, block), images: undefined, decoding: false, dealtAt })
    this.#decodeAhead()
  }

  /** Takes the next block, if its images are here. */
  take(): ReadyBlock | undefined {
    const first = this.#blocks.at(0)
    if (first?.images === undefined) return undefined
    this.#blocks.shift()
    this.#decodeAhead()
    return { ...first, images: first.images }
  }

  /** @param blocks undefined: all of the round */
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
