import { ProtocolError } from '../kit/errors.ts'
import type { OptimizerState } from '../optim/optimizer.ts'
import { chunkRanges, type Range } from '../vectors/chunks.ts'
import { bytesOf } from '../kit/floats.ts'
import type { StateChunk } from './messages.ts'

/** Lists the vectors of a state in the order in which they are sent. */
function vectorsOf({ parameters, moments }: Readonly<OptimizerState>): Float32Array[] {
  return [parameters, ...moments]
}

/**
 * Cuts weights and moments of a range into chunks for the wire.
 * @param state vectors that must not change until all chunks are sent; without moments, only the weights are sent
 * @param origin index in the whole vector of element 0 of the state's vectors
 * @param head session and request number for every chunk
 * @param chunkFloats floats per chunk; undefined means the default
 */
export function* stateChunks(state: Readonly<OptimizerState>, range: Range, origin: number, head: Pick<StateChunk, 'session' | 'id'>, chunkFloats?: number): Generator<StateChunk> {
  for (const [vector, values] of vectorsOf(state).entries()) {
    for (const { begin, end } of chunkRanges(range.end - range.begin, chunkFloats)) {
      const from = range.begin - origin
      yield { ...head, vector, offset: range.begin + begin, data: bytesOf(values.subarray(from + begin, from + end)) }
    }
  }
}

/** Assembles weights and moments of a range from their chunks. */
export class StateInbox {
  readonly #vectors: readonly Float32Array[]
  readonly #range: Range
  readonly #origin: number
  #vector = 0
  #received = 0

  /** @param state vectors to write into @param origin index in the whole vector of their element 0 */
  constructor(state: Readonly<OptimizerState>, range: Range, origin: number) {
    this.#vectors = vectorsOf(state)
    this.#range = range
    this.#origin = origin
  }

  get complete(): boolean {
    return this.#vector === this.#vectors.length
  }

  /** Takes the next chunk. @throws ProtocolError if it does not follow the one before it */
  receive({ vector, offset, data }: Pick<StateChunk, 'vector' | 'offset' | 'data'>): void {
    const { begin, end } = this.#range
    const floats = data.length / Float32Array.BYTES_PER_ELEMENT
    if (this.complete || vector !== this.#vector || floats === 0 || !Number.isInteger(floats) || offset !== begin + this.#received || offset + floats > end) {
      throw new ProtocolError(`a chunk of ${data.length} bytes at ${offset} of vector ${vector} does not follow ${this.#received} floats of the range from ${begin} to ${end}`)
    }
    bytesOf(this.#vectors[vector]).set(data, (offset - this.#origin) * Float32Array.BYTES_PER_ELEMENT)
    this.#received += floats
    if (begin + this.#received < end) return
    this.#vector++
    this.#received = 0
  }
}
