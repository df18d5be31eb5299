import { KeyedRandom, permutation, Purpose } from '../random/philox.ts'
import { laneRange } from './lane_tree.ts'

/**
 * The position of a step in the run. `epoch` begins at 1; the others count finished steps: the first step of the first epoch is { epoch: 1,
 * stepInEpoch: 0, step: 0 }.
 */
export interface StepPosition {
  epoch: number
  stepInEpoch: number
  step: number
}

/**
 * The samples of each step and of each of its lanes: a pure function of the run's seed, so every process of the cluster knows them without being
 * told. Every sample of an epoch is taken exactly once; the last batch may be short.
 */
export class Schedule {
  readonly stepsPerEpoch: number
  readonly #samples: readonly number[]
  readonly #batch: number
  readonly #lanes: number
  readonly #seed: number
  #epoch = 0
  #order = new Uint32Array(0)

  /**
   * @param run.train ids of the training samples
   * @param run.batch images in a global batch
   */
  constructor(run: { seed: number; train: readonly number[]; batch: number; lanes: number }) {
    this.#samples = run.train
    this.#batch = run.batch
    this.#lanes = run.lanes
    this.#seed = run.seed
    this.stepsPerEpoch = Math.ceil(run.train.length / run.batch)
  }

  /** Returns the sample ids of a whole batch, as a view of the epoch's order. */
  batch(epoch: number, stepInEpoch: number): Uint32Array {
    if (epoch !== this.#epoch) {
      const places = permutation(this.#samples.length, new KeyedRandom(this.#seed, Purpose.shuffle, epoch))
      this.#order = places.map((place) => this.#samples[place])
      this.#epoch = epoch
    }
    return this.#order.subarray(stepInEpoch * this.#batch, (stepInEpoch + 1) * this.#batch)
  }

  /** Returns the sample ids of one lane of a batch, as a view of the epoch's order. */
  lane(epoch: number, stepInEpoch: number, lane: number): Uint32Array {
    const batch = this.batch(epoch, stepInEpoch)
    const { begin, end } = laneRange(batch.length, this.#lanes, lane)
    return batch.subarray(begin, end)
  }

  /** Returns the position of the following step. */
  next(at: StepPosition): StepPosition {
    const last = at.stepInEpoch + 1 >= this.stepsPerEpoch
    return { epoch: last ? at.epoch + 1 : at.epoch, stepInEpoch: last ? 0 : at.stepInEpoch + 1, step: at.step + 1 }
  }
}
