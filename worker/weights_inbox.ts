import { ProtocolError } from '../shared/errors.ts'
import { floatsOf } from '../shared/wire/floats.ts'
import type { WeightsChunk } from '../shared/wire/messages.ts'

interface Version {
  parameters: Float32Array
  received: number
}

/** Puts weights together from their chunks. Chunks of the next version may come while the present one is still computed with. */
export class WeightsInbox {
  readonly #size: number
  readonly #versions = new Map<number, Version>()
  #wanted: { version: number; resolve: (parameters: Float32Array) => void } | undefined

  constructor(size: number) {
    this.#size = size
  }

  /** @throws ProtocolError when the chunk does not follow the one before it. */
  receive(chunk: WeightsChunk): void {
    const version = this.#versions.get(chunk.version) ?? { parameters: new Float32Array(this.#size), received: 0 }
    this.#versions.set(chunk.version, version)
    const floats = chunk.data.length % 4 === 0 ? floatsOf(chunk.data) : undefined
    if (floats === undefined || chunk.offset + floats.length > this.#size || version.received !== chunk.offset) {
      throw new ProtocolError(`a chunk of weights of ${chunk.data.length} bytes at ${chunk.offset} does not follow ${version.received} floats of ${this.#size}`)
    }
    version.parameters.set(floats, chunk.offset)
    version.received += floats.length
    this.#serve()
  }

  /** Waits until a version is complete; older ones are forgotten. */
  take(version: number): Promise<Float32Array> {
    for (const older of this.#versions.keys()) if (older < version) this.#versions.delete(older)
    return new Promise((resolve) => {
      this.#wanted = { version, resolve }
      this.#serve()
    })
  }

  #serve(): void {
    const wanted = this.#wanted
    const version = wanted === undefined ? undefined : this.#versions.get(wanted.version)
    if (wanted === undefined || version === undefined || version.received < this.#size) return
    this.#wanted = undefined
    wanted.resolve(version.parameters)
  }
}
