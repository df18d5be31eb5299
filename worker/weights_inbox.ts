import { codecFor, type Codec } from '../shared/compress/codec.ts'
import { ProtocolError } from '../shared/kit/errors.ts'
import type { Range } from '../shared/vectors/chunks.ts'
import { decodePayload } from '../shared/wire/payload.ts'
import type { ArrivedWeights } from './link.ts'

/** How far a range has come. */
interface Place extends Range {
  version: number
  leftOut: boolean
  received: number
}

/** As many versions as can be in use: one that is complete, two that arrive, and one that was handed out before. */
const MEMORIES = 4
/** Weights that the test set may be evaluated with while training goes on: those of an epoch's end, until the next epoch's have been tested. */
const KEPT = 2
/** Version of a range of which nothing has come. */
const NONE = -1

interface Version {
  version: number
  parameters: Float32Array
  /** By range: whether it is complete, and whether as that of a step that was left out. */
  complete: ({ leftOut: boolean } | undefined)[]
}

/**
 * Puts weights together from their chunks, which come in order in each range of the vector, from one reducer, and in any order between
 * ranges. Chunks of the next version may come while the present one is still computed with, and in one range while another has not
 * got all of the version before. Three versions are kept at most, whether or not somebody asks for them. A range may begin a
 * version again that is not complete: its step was left out, and the weights come as they were.
 *
 * Those of an epoch's end are copied when they are complete, and kept for its evaluation, which may go on while later ones come.
 *
 * Memory is used again: weights that were handed out are written over when the fourth version after them begins. Who still reads
 * them then computes for a step that is over, and that nobody waits for.
 */
export class WeightsInbox {
  readonly #size: number
  readonly #places: Place[]
  readonly #codec: Codec
  #complete: Pick<Version, 'version' | 'parameters'> | undefined
  /** In order. */
  #arriving: Version[] = []
  /** Memory of the versions that began last, in order. */
  readonly #memory: Float32Array[] = []
  /** Of epochs' ends, in order. */
  #kept: Pick<Version, 'version' | 'parameters'>[] = []
  #keepEvery = Number.POSITIVE_INFINITY
  #onComplete: () => void = () => undefined
  #wanted: { version: number; resolve: (parameters: Float32Array | undefined) => void } | undefined

  /** @param ranges of the vector, side by side @param codec how weights travel */
  constructor(size: number, ranges: readonly Range[] = [{ begin: 0, end: size }], codec: Codec = codecFor('none')) {
    this.#codec = codec
    this.#size = size
    this.#places = ranges.map(({ begin, end }) => ({ begin, end, version: NONE, leftOut: false, received: end - begin }))
  }

  /** @throws ProtocolError when the chunk does not follow the one before it in its range. */
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
    // Of a version that is needed no more, the end is not kept.
    if (arriving === undefined) return
    decodePayload(this.#codec, chunk.data, arriving.parameters.subarray(chunk.offset, chunk.offset + floats))
    if (begin + place.received === end) this.#finishRange(arriving, index, chunk.leftOut)
  }

  /**
   * Waits until a version is complete.
   * @returns undefined when a later one is: the step that needed this one is over
   */
  take(version: number): Promise<Float32Array | undefined> {
    return new Promise((resolve) => {
      this.#wanted = { version, resolve }
      this.#serve()
    })
  }

  /**
   * Before the first weights come.
   * @param steps of an epoch: from now on, the weights of epochs' ends are kept
   * @param onComplete is called when weights are complete
   */
  keepEvery(steps: number, onComplete: () => void): void {
    this.#keepEvery = steps
    this.#onComplete = onComplete
  }

  /**
   * Weights of a version, if they are here now: the present ones, or those of an epoch's end.
   * @returns 'gone' when they were, or never will be; undefined when they are still to come
   */
  find(version: number): Float32Array | 'gone' | undefined {
    const complete = this.#complete
    const found = [...this.#kept, ...(complete === undefined ? [] : [complete])].find((each) => each.version === version)
    return found?.parameters ?? (complete !== undefined && complete.version > version ? 'gone' : undefined)
  }

  #begin(place: Place, index: number, { version, leftOut }: ArrivedWeights): void {
    if (this.#complete !== undefined && version <= this.#complete.version) throw new ProtocolError(`a chunk of weights ${version} came after weights ${this.#complete.version}`)
    Object.assign(place, { version, leftOut, received: 0 })
    const arriving = this.#arriving.find((each) => each.version === version)
    if (arriving !== undefined) arriving.complete[index] = undefined
    else if (this.#arriving.every((each) => each.version < version)) {
      // A version is sent when all of the one before it is summed: what was before that one is needed no more.
      this.#arriving = this.#arriving.filter((each) => each.version === version - 1)
      this.#arriving.push({ version, parameters: this.#nextMemory(), complete: this.#places.map(() => undefined) })
    }
  }

  #nextMemory(): Float32Array {
    const oldest = this.#memory.length < MEMORIES ? undefined : this.#memory.shift()
    const memory = oldest === undefined || oldest === this.#complete?.parameters ? new Float32Array(this.#size) : oldest
    this.#memory.push(memory)
    return memory
  }

  #finishRange(arriving: Version, index: number, leftOut: boolean): void {
    arriving.complete[index] = { leftOut }
    if (!arriving.complete.every((range) => range?.leftOut === leftOut)) return
    this.#complete = arriving
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

/** A version begins when the one before it is complete in the range; the same one only because its step was left out after all. */
function beginsIn(place: Place, { version, leftOut }: ArrivedWeights): boolean {
  if (version === place.version) return leftOut && !place.leftOut
  return version > place.version && place.received === place.end - place.begin
}
