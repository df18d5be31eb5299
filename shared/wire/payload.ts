import type { Codec } from '../compress/codec.ts'
import { bytesOf } from '../kit/floats.ts'

/** Bytes in memory that is shared with another process. */
export interface BytesInMemory {
  readonly length: number
  /**
   * Copies the bytes.
   * @param target array of the same length
   * @throws ProtocolError if the memory does not have the bytes
   */
  readInto(target: Uint8Array): void
}

/** Bytes of a part of a vector: in a message, or in shared memory. */
export type Payload = Buffer | BytesInMemory

/** Data of a message whose bytes are in shared memory. */
export const NO_DATA = Buffer.alloc(0)

/**
 * Decodes a payload to floats.
 * @param out vector of as many floats as the codec's `floatsIn` returns for the payload's length
 * @throws the error of `BytesInMemory.readInto`
 */
export function decodePayload(codec: Codec, payload: Payload, out: Float32Array): void {
  if (!('readInto' in payload)) return codec.decodeInto(payload, out)
  if (codec.compression === 'none') return payload.readInto(bytesOf(out))
  const bytes = Buffer.allocUnsafe(payload.length)
  payload.readInto(bytes)
  codec.decodeInto(bytes, out)
}
