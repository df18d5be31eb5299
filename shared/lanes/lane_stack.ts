import { sumRounding, type RoundSum } from '../compress/codec.ts'
import type { Compression } from '../compress/format.ts'
import type { Engine, Partners } from '../engine/engine.ts'
import { layoutOf } from '../model/layout.ts'
import { networkOfSize, sizeOfImages } from '../model/image_sizes.ts'
import type { Network } from '../model/network.ts'
import { laneDigest } from './audited_steps.ts'
import type { LaneReport } from './lane_report.ts'
import { firstNotFinite } from '../vectors/finite.ts'
import { dropoutMasks } from './masks.ts'
import { mixed } from './mix.ts'
import { addInto } from '../vectors/vectors.ts'

/** The samples of a lane, decoded and augmented, ready to be computed. */
export interface PreparedLane {
  lane: number
  step: number
  /** Ids of the samples: dropout is keyed by them. */
  samples: number[]
  labels: number[]
  /** Pixels after augmentation: uint8 [samples, imageSize, imageSize, 3]. */
  images: Uint8Array
  /** True if the digest of its gradient is wanted. */
  audited?: boolean | undefined
}

/** The settings, besides network and engine, that decide a run's gradients. */
export interface LaneSettings {
  seed: number
  /** Format in which gradient sums travel: every sum is rounded to it. */
  compress: Compression
}

/** An interval of time, in seconds. */
export interface Stretch {
  begin: number
  end: number
}

/** The gradient sum over a complete subtree of lanes, and the reports of these lanes. */
export interface LaneSum {
  values: Float32Array
  lanes: LaneReport[]
}

/**
 * A stack machine that computes lanes and adds their gradients: `push` computes a lane's gradient, `add` sums the two topmost entries, `take`
 * removes the result. The caller walks the lane tree (`LaneWalk`), so that gradients are added in the tree's order.
 */
export class LaneStack {
  readonly #engine: Engine
  readonly #network: Network
  readonly #seed: number
  readonly #round: RoundSum
  readonly #size: number
  readonly #now: () => number
  readonly #stack: (LaneSum & { step: number })[] = []
  readonly #free: Float32Array[] = []

  /** @param now clock in seconds, to measure a lane's time */
  constructor(engine: Engine, network: Network, { seed, compress }: LaneSettings, now: () => number) {
    this.#engine = engine
    this.#network = network
    this.#seed = seed
    this.#round = sumRounding(compress, seed)
    this.#size = layoutOf(network).size
    this.#now = now
  }

  /**
   * Computes a lane's gradient and puts it on the stack.
   * @param node leaf of the lane tree that stands for the lane
   * @returns the interval in which it was computed
   * @throws Error if the stack holds lanes of another step: their sum would be meaningless
   */
  push(lane: PreparedLane, node: number): Stretch {
    const below = this.#stack.at(-1)
    if (below !== undefined && below.step !== lane.step) throw new Error(`a lane of step ${lane.step} comes upon one of step ${below.step}`)
    const values = this.#free.pop() ?? new Float32Array(this.#size)
    const begin = this.#now()
    const count = lane.samples.length
    // A lane of a short batch can be empty: its gradient is zero.
    if (count === 0) values.fill(0)
    const result = count === 0
      ? { lossSum: 0, correct: 0 }
      : this.#engine.laneGradient(
          { ...this.#mixed(lane), labels: Int32Array.from(lane.labels), masks: dropoutMasks(networkOfSize(this.#network, sizeOfImages(lane.images, count)), this.#seed, lane.step, lane.samples) },
          values,
        )
    const digest = lane.audited === true ? laneDigest(values) : undefined
    this.#round(values, 0, lane.step, node)
    const end = this.#now()
    this.#stack.push({ step: lane.step, values, lanes: [{ lane: lane.lane, ...result, samples: count, seconds: end - begin, notFinite: firstNotFinite(values) !== undefined, ...(digest === undefined ? {} : { digest }) }] })
    return { begin, end }
  }

  #mixed(lane: PreparedLane): { images: Uint8Array; partners?: Partners } {
    const mix = this.#network.loss?.mix
    return mix === undefined ? { images: lane.images } : mixed(lane, this.#seed, mix)
  }

  /**
   * Replaces the two topmost entries by their sum.
   * @param node node of the lane tree that the sum covers
   * @throws Error if the stack has fewer than two entries
   */
  add(node: number): void {
    const right = this.#pop()
    const left = this.#pop()
    addInto(left.values, right.values)
    this.#round(left.values, 0, left.step, node)
    this.#free.push(right.values)
    this.#stack.push({ step: left.step, values: left.values, lanes: [...left.lanes, ...right.lanes] })
  }

  /**
   * Removes the topmost entry. Its memory belongs to the caller until `recycle`.
   * @throws Error if the stack is empty
   */
  take(): LaneSum {
    const { values, lanes } = this.#pop()
    return { values, lanes }
  }

  /** Drops all entries of the stack. */
  clear(): void {
    for (const { values } of this.#stack.splice(0)) this.#free.push(values)
  }

  /** Takes back the memory of a partial that was taken, to be used for another lane. */
  recycle(values: Float32Array): void {
    this.#free.push(values)
  }

  #pop(): LaneSum & { step: number } {
    const top = this.#stack.pop()
    if (top === undefined) throw new Error('the lane stack is empty')
    return top
  }
}
