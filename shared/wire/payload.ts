import type { Codec } from '../compress/codec.ts'
import { bytesOf } from '../kit/floats.ts'

/** Bytes in memory that is shared with another process. */
export interface BytesInMemory {
  readonly length: number
  /** @param target as long @throws ProtocolError when they are not there */
  readInto(target: Uint8Array): void
}

/** The bytes of a part of a vector: in a message, or in memory. */
export type Payload = Buffer | BytesInMemory

/** Of a message whose bytes are in memory. */
export const NO_DATA = Buffer.alloc(0)

/** @param out as long as the codec's `floatsIn` says of the payload's length */
export function decodePayload(codec: Codec, payload: Payload, out: Float32Array): void {
  if (!('readInto' in payload)) return codec.decodeInto(payload, out)
  if (codec.compression === 'none') return payload.readInto(bytesOf(out))
  const bytes = Buffer.allocUnsafe(payload.length)
  payload.readInto(bytes)
  codec.decodeInto(bytes, out)
}
