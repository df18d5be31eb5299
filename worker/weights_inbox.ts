import { ProtocolError } from '../shared/errors.ts'
import { bytesOf } from '../shared/wire/floats.ts'
import type { WeightsChunk } from '../shared/wire/messages.ts'

interface Version {
  version: number
  parameters: Float32Array
  received: number
}

/**
 * Puts weights together from their chunks. Chunks of the next version may come while the present one is still computed
 * with. Two versions are kept at most, whether or not somebody asks for them. A version that is not complete may begin
 * again: its step was left out, and the weights come as they were.
 */
export class WeightsInbox {
  readonly #size: number
  #complete: Version | undefined
  #arriving: Version | undefined
  #wanted: { version: number; resolve: (parameters: Float32Array | undefined) => void } | undefined

  constructor(size: number) {
    this.#size = size
  }

  /** @throws ProtocolError when the chunk does not follow the one before it. */
  receive(chunk: WeightsChunk): void {
    const arriving = this.#arriving ?? this.#begin(chunk.version)
    if (chunk.offset === 0 && chunk.version === arriving.version) arriving.received = 0
    const floats = chunk.data.length / Float32Array.BYTES_PER_ELEMENT
    if (!Number.isInteger(floats) || chunk.version !== arriving.version || chunk.offset + floats > this.#size || arriving.received !== chunk.offset) {
      throw new ProtocolError(`a chunk of weights ${chunk.version} of ${chunk.data.length} bytes at ${chunk.offset} does not follow ${arriving.received} floats of ${this.#size} of weights ${arriving.version}`)
    }
    // As bytes, which need not be aligned: they are copied once.
    bytesOf(arriving.parameters).set(chunk.data, chunk.offset * Float32Array.BYTES_PER_ELEMENT)
    arriving.received += floats
    if (arriving.received < this.#size) return
    this.#complete = arriving
    this.#arriving = undefined
    this.#serve()
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

  #begin(version: number): Version {
    if (this.#complete !== undefined && version <= this.#complete.version) throw new ProtocolError(`a chunk of weights ${version} came after weights ${this.#complete.version}`)
    this.#arriving = { version, parameters: new Float32Array(this.#size), received: 0 }
    return this.#arriving
  }

  #serve(): void {
    const wanted = this.#wanted
    const complete = this.#complete
    if (wanted === undefined || complete === undefined || complete.version < wanted.version) return
    this.#wanted = undefined
    wanted.resolve(complete.version === wanted.version ? complete.parameters : undefined)
  }
}
