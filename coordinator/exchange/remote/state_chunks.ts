import { ProtocolError } from '../../../shared/kit/errors.ts'
import type { OptimizerState } from '../../../shared/optim/adam.ts'
import { chunkRanges } from '../../../shared/vectors/chunks.ts'
import { bytesOf } from '../../../shared/kit/floats.ts'
import type { StateChunk } from '../../../shared/wire/messages.ts'
import type { Range } from '../step_reduce.ts'

const vectors = { PARAMETERS: 'parameters', M: 'm', V: 'v' } as const
const inOrder = Object.keys(vectors) as StateChunk['vector'][]

/**
 * Weights and moments of a range as they travel.
 * @param state vectors whose element 0 is element `origin` of the whole; they must not change until all is sent
 * @param moments false: the weights alone
 */
export function* stateChunks(state: Readonly<OptimizerState>, range: Range, origin: number, moments: boolean): Generator<Omit<StateChunk, 'session' | 'id'>> {
  for (const vector of moments ? inOrder : inOrder.slice(0, 1)) {
    for (const { begin, end } of chunkRanges(range.end - range.begin)) {
      const from = range.begin - origin
      yield { vector, offset: range.begin + begin, data: bytesOf(state[vectors[vector]].subarray(from + begin, from + end)) }
    }
  }
}

/** Puts weights and moments of a range together from their chunks. */
export class StateInbox {
  readonly #state: Readonly<OptimizerState>
  readonly #range: Range
  readonly #origin: number
  readonly #moments: boolean
  #vector = 0
  #received = 0

  /** @param state where it is written: as in `stateChunks` */
  constructor(state: Readonly<OptimizerState>, range: Range, origin: number, moments: boolean) {
    this.#state = state
    this.#range = range
    this.#origin = origin
    this.#moments = moments
  }

  get complete(): boolean {
    return this.#vector === (this.#moments ? inOrder.length : 1)
  }

  /** @throws ProtocolError when the chunk does not follow the one before it. */
  receive({ vector, offset, data }: Pick<StateChunk, 'vector' | 'offset' | 'data'>): void {
    const { begin, end } = this.#range
    const floats = data.length / Float32Array.BYTES_PER_ELEMENT
    if (this.complete || vector !== inOrder[this.#vector] || floats === 0 || !Number.isInteger(floats) || offset !== begin + this.#received || offset + floats > end) {
      throw new ProtocolError(`a chunk of ${data.length} bytes at ${offset} of ${vector} does not follow ${this.#received} floats of the range from ${begin} to ${end}`)
    }
    bytesOf(this.#state[vectors[vector]]).set(data, (offset - this.#origin) * Float32Array.BYTES_PER_ELEMENT)
    this.#received += floats
    if (begin + this.#received < end) return
    this.#vector++
    this.#received = 0
  }
}
