import { ProtocolError } from '../../../shared/kit/errors.ts'
import type { OptimizerState } from '../../../shared/optim/optimizer.ts'
import { chunkRanges, type Range } from '../../../shared/vectors/chunks.ts'
import { bytesOf } from '../../../shared/kit/floats.ts'
import type { StateChunk } from '../../../shared/wire/messages.ts'

/** The vectors of a state in the order in which they travel. */
function vectorsOf({ parameters, moments }: Readonly<OptimizerState>): Float32Array[] {
  return [parameters, ...moments]
}

/**
 * Weights and moments of a range as they travel.
 * @param state vectors whose element 0 is element `origin` of the whole; they must not change until all is sent. Without moments, the weights travel alone.
 * @param head whose state it is
 * @param chunkFloats floats of one chunk on the wire, where it is not the default
 */
export function* stateChunks(state: Readonly<OptimizerState>, range: Range, origin: number, head: Pick<StateChunk, 'session' | 'id'>, chunkFloats?: number): Generator<StateChunk> {
  for (const [vector, values] of vectorsOf(state).entries()) {
    for (const { begin, end } of chunkRanges(range.end - range.begin, chunkFloats)) {
      const from = range.begin - origin
      yield { ...head, vector, offset: range.begin + begin, data: bytesOf(values.subarray(from + begin, from + end)) }
    }
  }
}

/** Puts weights and moments of a range together from their chunks. */
export class StateInbox {
  readonly #vectors: readonly Float32Array[]
  readonly #range: Range
  readonly #origin: number
  #vector = 0
  #received = 0

  /** @param state where it is written: as in `stateChunks` */
  constructor(state: Readonly<OptimizerState>, range: Range, origin: number) {
    this.#vectors = vectorsOf(state)
    this.#range = range
    this.#origin = origin
  }

  get complete(): boolean {
    return this.#vector === this.#vectors.length
  }

  /** @throws ProtocolError when the chunk does not follow the one before it. */
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
