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

/** Ways to choose the samples of an epoch: each once, or as many of each class as of any other. */
export const samplings = ['shuffled', 'balanced'] as const
export type Sampling = (typeof samplings)[number]

/** What a schedule follows from. */
export interface ScheduleParts {
  seed: number
  /** Ids of the training samples. */
  train: readonly number[]
  /** Images in a global batch. */
  batch: number
  lanes: number
  /** By default each sample is taken once. */
  sampling?: Sampling
  /** Knows the class of each sample; needed for balanced sampling. */
  samples?: { classOf(id: number): number }
}

/**
 * The samples of each step and of each of its lanes: a pure function of the run's seed, so every process of the cluster knows them without being
 * told. An epoch has as many samples as there are, and the last batch may be short. Shuffled, each of them is taken exactly once; balanced, the
 * images of a class that has few are taken several times, each as often as the others or once more.
 */
export class Schedule {
  readonly stepsPerEpoch: number
  readonly #samples: readonly number[]
  /** The training samples of each class, if each class gets the same share of an epoch. */
  readonly #classes: readonly (readonly number[])[] | undefined
  readonly #batch: number
  readonly #lanes: number
  readonly #seed: number
  #epoch = 0
  #order = new Uint32Array(0)
  /** For each place of the epoch's order, how often its sample was taken before; undefined where each is taken once. */
  #repeats: Uint32Array | undefined

  /** @throws Error if sampling is balanced, and nothing knows the classes */
  constructor({ seed, train, batch, lanes, sampling = 'shuffled', samples }: ScheduleParts) {
    this.#samples = train
    this.#classes = sampling === 'balanced' ? byClass(train, samples) : undefined
    this.#batch = batch
    this.#lanes = lanes
    this.#seed = seed
    this.stepsPerEpoch = Math.ceil(train.length / batch)
  }

  /** Returns the sample ids of a whole batch, as a view of the epoch's order. */
  batch(epoch: number, stepInEpoch: number): Uint32Array {
    if (epoch !== this.#epoch) {
      const places = permutation(this.#samples.length, new KeyedRandom(this.#seed, Purpose.shuffle, epoch))
      const balanced = this.#classes === undefined ? undefined : this.#balanced(this.#classes, epoch)
      const samples = balanced?.samples ?? this.#samples
      this.#order = places.map((place) => samples[place])
      this.#repeats = balanced && places.map((place) => balanced.repeats[place])
      this.#epoch = epoch
    }
    return this.#order.subarray(stepInEpoch * this.#batch, (stepInEpoch + 1) * this.#batch)
  }

  /** Takes the same number of samples of each class, or one more, class after class: all samples of a class in a random order, as often as it takes. */
  #balanced(classes: readonly (readonly number[])[], epoch: number): { samples: Uint32Array; repeats: Uint32Array } {
    const taken = new Uint32Array(this.#samples.length)
    const repeats = new Uint32Array(taken.length)
    let place = 0
    classes.forEach((samples, index) => {
      const end = Math.floor((taken.length * (index + 1)) / classes.length)
      for (let round = 0; place < end; round++) {
        const order = permutation(samples.length, new KeyedRandom(this.#seed, Purpose.shuffle, epoch, index + 1, round))
        for (const at of order.subarray(0, end - place)) {
          repeats[place] = round
          taken[place++] = samples[at]
        }
      }
    })
    return { samples: taken, repeats }
  }

  /** Returns the sample ids of one lane of a batch, as a view of the epoch's order. */
  lane(epoch: number, stepInEpoch: number, lane: number): Uint32Array {
    const batch = this.batch(epoch, stepInEpoch)
    const { begin, end } = laneRange(batch.length, this.#lanes, lane)
    return batch.subarray(begin, end)
  }

  /** Returns, for each sample of a lane, how often the epoch took it in other places before; undefined if each is taken once. The copies are augmented differently. */
  repeats(epoch: number, stepInEpoch: number, lane: number): Uint32Array | undefined {
    const { byteOffset, length } = this.lane(epoch, stepInEpoch, lane)
    const begin = (byteOffset - this.#order.byteOffset) / Uint32Array.BYTES_PER_ELEMENT
    return this.#repeats?.subarray(begin, begin + length)
  }

  /** Returns the position of the following step. */
  next(at: StepPosition): StepPosition {
    const last = at.stepInEpoch + 1 >= this.stepsPerEpoch
    return { epoch: last ? at.epoch + 1 : at.epoch, stepInEpoch: last ? 0 : at.stepInEpoch + 1, step: at.step + 1 }
  }
}

/** Sorts samples by class. Classes without a training sample are left out. */
function byClass(train: readonly number[], samples: ScheduleParts['samples']): number[][] {
  if (samples === undefined) throw new Error('balanced sampling needs the classes of samples')
  const classes: number[][] = []
  for (const id of train) (classes[samples.classOf(id)] ??= []).push(id)
  return classes.filter((each) => each !== undefined)
}
