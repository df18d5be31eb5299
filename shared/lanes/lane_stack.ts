import { sumRounding, type RoundSum } from '../compress/codec.ts'
import type { Compression } from '../compress/format.ts'
import type { Engine } from '../engine/engine.ts'
import { layoutOf } from '../model/layout.ts'
import type { Network } from '../model/network.ts'
import type { LaneReport } from './lane_report.ts'
import { firstNotFinite } from '../vectors/finite.ts'
import { dropoutMasks } from './masks.ts'
import { addInto } from '../vectors/vectors.ts'

/** The samples of a lane, ready to be computed. */
export interface PreparedLane {
  lane: number
  step: number
  /** Sample ids: dropout is keyed by them. */
  samples: number[]
  labels: number[]
  /** uint8 [samples, imageSize, imageSize, 3], after augmentation. */
  images: Uint8Array
}

/** What decides a run's gradients besides network and engine. */
export interface LaneSettings {
  seed: number
  /** How gradient sums travel. */
  compress: Compression
}

/** From when to when, in seconds. */
export interface Stretch {
  begin: number
  end: number
}

/** The gradient sum over a complete subtree of lanes, and what each of its lanes reported. */
export interface LaneSum {
  values: Float32Array
  lanes: LaneReport[]
}

/**
 * Computes lanes and adds them, as a stack machine: `push` a lane's gradient, `add` the two topmost, `take` the result.
 * Who drives it walks the lane tree, so a partial is added in the tree's order.
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

  /** @param now seconds, to measure a lane's time. */
  constructor(engine: Engine, network: Network, { seed, compress }: LaneSettings, now: () => number) {
    this.#engine = engine
    this.#network = network
    this.#seed = seed
    this.#round = sumRounding(compress, seed)
    this.#size = layoutOf(network).size
    this.#now = now
  }

  /**
   * @param node of the lane tree that the lane is
   * @returns when it was computed.
   * @throws Error when the stack holds lanes of another step: their sum would be of no use to anyone.
   */
  push(lane: PreparedLane, node: number): Stretch {
    const below = this.#stack.at(-1)
    if (below !== undefined && below.step !== lane.step) throw new Error(`a lane of step ${lane.step} comes upon one of step ${below.step}`)
    const values = this.#free.pop() ?? new Float32Array(this.#size)
    const begin = this.#now()
    const count = lane.samples.length
    // Lanes of a short batch can be empty: their gradient is zero.
    if (count === 0) values.fill(0)
    const result = count === 0
      ? { lossSum: 0, correct: 0 }
      : this.#engine.laneGradient(
          { images: lane.images, labels: Int32Array.from(lane.labels), masks: dropoutMasks(this.#network, this.#seed, lane.step, lane.samples) },
          values,
        )
    this.#round(values, 0, lane.step, node)
    const end = this.#now()
    this.#stack.push({ step: lane.step, values, lanes: [{ lane: lane.lane, ...result, samples: count, seconds: end - begin, notFinite: firstNotFinite(values) !== undefined }] })
    return { begin, end }
  }

  /** @param node of the lane tree that the sum is over */
  add(node: number): void {
    const right = this.#pop()
    const left = this.#pop()
    addInto(left.values, right.values)
    this.#round(left.values, 0, left.step, node)
    this.#free.push(right.values)
    this.#stack.push({ step: left.step, values: left.values, lanes: [...left.lanes, ...right.lanes] })
  }

  take(): LaneSum {
    const { values, lanes } = this.#pop()
    return { values, lanes }
  }

  /** Forgets all that is on the stack. */
  clear(): void {
    for (const { values } of this.#stack.splice(0)) this.#free.push(values)
  }

  /** Gives a taken partial's memory back for the next lane. */
  recycle(values: Float32Array): void {
    this.#free.push(values)
  }

  #pop(): LaneSum & { step: number } {
    const top = this.#stack.pop()
    if (top === undefined) throw new Error('the lane stack is empty')
    return top
  }
}
