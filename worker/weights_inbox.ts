import { codecFor, type Codec } from '../shared/compress/codec.ts'
import { ProtocolError } from '../shared/kit/errors.ts'
import type { Range } from '../shared/vectors/chunks.ts'
import { decodePayload } from '../shared/wire/payload.ts'
import type { ArrivedWeights } from './link.ts'

/** Progress of one reducer's range of the weight vector. `received` counts the floats of the version that is arriving. */
interface Place extends Range {
  version: number
  leftOut: boolean
  received: number
}

/** Number of weight vectors in memory, one for each version that can be in use: one complete, two arriving, and one that was handed out before. */
const MEMORIES = 4
/**
 * Number of copies of epoch-end weights. They serve evaluation, which goes on during training: an epoch's weights are needed until the next
 * epoch's have been tested.
 */
const KEPT = 2
/** Version number of a range of which nothing has arrived yet. */
const NONE = -1

interface Version {
  version: number
  parameters: Float32Array
  /** State of each range: undefined while it is incomplete; `leftOut` is true if its step was left out. */
  complete: ({ leftOut: boolean } | undefined)[]
}

/**
 * Assembles weights from their chunks. Within a range, which has one reducer, chunks come in order; between ranges, in any order. Chunks of the
 * next version may come while the present one is still in use, and in one range before another range has all of the version before. At most
 * three versions are kept, whether or not they are asked for. As long as a version is incomplete, a range may begin it again: the step was left
 * out, and the weights come unchanged.
 *
 * Epoch-end weights are copied when they are complete, and kept for their evaluation while later weights arrive.
 *
 * Memory is reused: weights that were handed out are overwritten when the fourth version after them begins. A reader that still uses them then
 * computes for a step that is over and that nobody waits for.
 */
export class WeightsInbox {
  readonly #size: number
  readonly #places: Place[]
  readonly #codec: Codec
  #complete: Pick<Version, 'version' | 'parameters'> | undefined
  /** Versions that are not complete yet, in ascending order. */
  #arriving: Version[] = []
  /** Memory of the versions that began last, oldest first. */
  readonly #memory: Float32Array[] = []
  /** The versions that were completed last and whose memory is not in use again, oldest first. */
  #recent: Pick<Version, 'version' | 'parameters'>[] = []
  /** Copies of epoch-end weights, oldest first. */
  #kept: Pick<Version, 'version' | 'parameters'>[] = []
  #keepEvery = Number.POSITIVE_INFINITY
  #onComplete: () => void = () => undefined
  #wanted: { version: number; resolve: (parameters: Float32Array | undefined) => void } | undefined

  /**
   * @param size number of floats in the vector
   * @param ranges the reducers' ranges of the vector, side by side
   * @param codec format that weights travel in
   */
  constructor(size: number, ranges: readonly Range[] = [{ begin: 0, end: size }], codec: Codec = codecFor('none')) {
    this.#codec = codec
    this.#size = size
    this.#places = ranges.map(({ begin, end }) => ({ begin, end, version: NONE, leftOut: false, received: end - begin }))
  }

  /**
   * Takes one chunk of weights.
   * @throws ProtocolError if the chunk does not follow the one before it in its range
   */
  receive(chunk: ArrivedWeights): void {
    const index = this.#places.findIndex(({ end }) => chunk.offset < end)
    const place = this.#places.at(index) as Place
    const { begin, end } = place
    if (chunk.offset === begin && beginsIn(place, chunk)) this.#begin(place, index, chunk)
    const floats = this.#codec.floatsIn(chunk.data.length, `a chunk of weights ${chunk.version}`)
    const follows = chunk.version === place.version && chunk.leftOut === place.leftOut && chunk.offset === begin + place.received
    if (index < 0 || !follows || floats === 0 || chunk.offset + floats > end) {
      const { version, received } = place.version === NONE ? { version: chunk.version, received: 0 } : place
      throw new ProtocolError(`a chunk of weights ${chunk.version} of ${chunk.data.length} bytes at ${chunk.offset} does not follow ${received} floats of ${end - begin} of weights ${version}`)
    }
    place.received += floats
    const arriving = this.#arriving.find(({ version }) => version === chunk.version)
    // The rest of a version that is no longer needed is dropped.
    if (arriving === undefined) return
    decodePayload(this.#codec, chunk.data, arriving.parameters.subarray(chunk.offset, chunk.offset + floats))
    if (begin + place.received === end) this.#finishRange(arriving, index, chunk.leftOut)
  }

  /**
   * Waits until a version is complete.
   * @returns undefined if a later version is complete: the step that needed this one is over
   */
  take(version: number): Promise<Float32Array | undefined> {
    return new Promise((resolve) => {
      this.#wanted = { version, resolve }
      this.#serve()
    })
  }

  /**
   * Makes the inbox keep copies of epoch-end weights. It must be called before the first weights arrive.
   * @param steps number of steps in an epoch: the versions that are its multiples are kept
   * @param onComplete called whenever a version is complete
   */
  keepEvery(steps: number, onComplete: () => void): void {
    this.#keepEvery = steps
    this.#onComplete = onComplete
  }

  /**
   * Finds the weights of a version: the present ones, or a copy of an epoch's end.
   * @returns 'gone' if they are no longer kept or never will come; undefined if they are still to come
   */
  find(version: number): Float32Array | 'gone' | undefined {
    const complete = this.#complete
    const found = [...this.#kept, ...(complete === undefined ? [] : [complete])].find((each) => each.version === version)
    return found?.parameters ?? (complete !== undefined && complete.version > version ? 'gone' : undefined)
  }

  /**
   * Copies the weights of a version, also of an earlier one that was not an epoch's end, as long as later ones have not overwritten it.
   * @returns 'gone' if they are here no more; undefined if they are still to come
   */
  copyOf(version: number): Float32Array | 'gone' | undefined {
    const found = [...this.#kept, ...this.#recent].find((each) => each.version === version)
    return found?.parameters.slice() ?? this.find(version)
  }

  #begin(place: Place, index: number, { version, leftOut }: ArrivedWeights): void {
    if (this.#complete !== undefined && version <= this.#complete.version) throw new ProtocolError(`a chunk of weights ${version} came after weights ${this.#complete.version}`)
    Object.assign(place, { version, leftOut, received: 0 })
    const arriving = this.#arriving.find((each) => each.version === version)
    if (arriving !== undefined) arriving.complete[index] = undefined
    else if (this.#arriving.every((each) => each.version < version)) {
      // Versions older than the one before are no longer needed: a version is sent only when every gradient of the one before it is summed.
      this.#arriving = this.#arriving.filter((each) => each.version === version - 1)
      this.#arriving.push({ version, parameters: this.#nextMemory(), complete: this.#places.map(() => undefined) })
    }
  }

  #nextMemory(): Float32Array {
    const oldest = this.#memory.length < MEMORIES ? undefined : this.#memory.shift()
    const memory = oldest === undefined || oldest === this.#complete?.parameters ? new Float32Array(this.#size) : oldest
    this.#memory.push(memory)
    this.#recent = this.#recent.filter(({ parameters }) => parameters !== memory).slice(-MEMORIES)
    return memory
  }

  #finishRange(arriving: Version, index: number, leftOut: boolean): void {
    arriving.complete[index] = { leftOut }
    if (!arriving.complete.every((range) => range?.leftOut === leftOut)) return
    this.#complete = arriving
    this.#recent.push(arriving)
    this.#arriving = this.#arriving.filter(({ version }) => version > arriving.version)
    if (arriving.version > 0 && arriving.version % this.#keepEvery === 0) this.#keep(arriving)
    this.#serve()
    this.#onComplete()
  }

  #keep({ version, parameters }: Version): void {
    const memory = this.#kept.length < KEPT ? new Float32Array(this.#size) : (this.#kept.shift()?.parameters ?? new Float32Array(this.#size))
    memory.set(parameters)
    this.#kept.push({ version, parameters: memory })
  }

  #serve(): void {
    const wanted = this.#wanted
    const complete = this.#complete
    if (wanted === undefined || complete === undefined || complete.version < wanted.version) return
    this.#wanted = undefined
    wanted.resolve(complete.version === wanted.version ? complete.parameters : undefined)
  }
}

/** True if a chunk begins a version in its range: the version before is complete there or, for the same version, its step was left out after all. */
function beginsIn(place: Place, { version, leftOut }: ArrivedWeights): boolean {
  if (version === place.version) return leftOut && !place.leftOut
  return version > place.version && place.received === place.end - place.begin
}
