import { newestOn, VERSIONS_BEHIND } from '../shared/wire/board.ts'
import { CONTENT_AT, MemoryFile } from '../shared/kit/memory_file.ts'
import type { SharedBytes, SharedMemory } from '../shared/wire/messages.ts'
import type { BytesInMemory } from '../shared/wire/payload.ts'

/** The weights that were asked for have been overwritten by later ones: the worker is too far behind. */
export class BehindError extends Error {}

/** The memory that a worker shares with a coordinator on its own machine: weights to read, gradients to write. */
export class CoordinatorMemory {
  readonly #weights: MemoryFile
  readonly #gradients: MemoryFile
  #round = -1
  #next = CONTENT_AT
  #isFull = false

  private constructor(weights: MemoryFile, gradients: MemoryFile) {
    this.#weights = weights
    this.#gradients = gradients
  }

  /**
   * Opens the files that the coordinator offers.
   * @returns undefined if they cannot be opened: on another machine, in another container, or as another user
   */
  static open(offer: SharedMemory): CoordinatorMemory | undefined {
    const weights = MemoryFile.open(offer.weights, 'read')
    if (weights === undefined) return undefined
    const gradients = MemoryFile.open(offer.gradients, 'write')
    if (gradients !== undefined) return new CoordinatorMemory(weights, gradients)
    weights.close()
    return undefined
  }

  /**
   * Refers to a chunk of weights in shared memory. Reading it throws a BehindError if the bytes may already be those of a later version.
   * @param version version that the bytes belong to
   */
  weights(version: number, { at, length }: SharedBytes): BytesInMemory {
    return {
      length,
      readInto: (target) => {
        this.#weights.read(at, target)
        if (newestOn(this.#weights) >= version + VERSIONS_BEHIND) throw new BehindError(`it is more than ${VERSIONS_BEHIND - 1} versions of the weights behind`)
      },
    }
  }

  /**
   * Writes a part of a gradient behind the earlier parts of the same round. The coordinator may read it until it sends weights of a later step,
   * since only then does a new round begin and overwrite it.
   * @returns undefined if memory is full: the bytes must then go through the stream
   */
  putGradient(round: number, bytes: Uint8Array): SharedBytes | undefined {
    if (this.#isFull) return undefined
    if (round !== this.#round) {
      this.#round = round
      this.#next = CONTENT_AT
    }
    const at = this.#next
    this.#isFull = !this.#gradients.write(at, bytes)
    if (this.#isFull) return undefined
    this.#next += bytes.length
    return { at, length: bytes.length }
  }

  close(): void {
    this.#weights.close()
    this.#gradients.close()
  }
}
