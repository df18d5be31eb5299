import { bytesOf } from '../kit/floats.ts'

/**
 * The safetensors file format (https://github.com/huggingface/safetensors#format): an unsigned 64-bit length, that many
 * bytes of JSON, then the tensors' bytes without gaps, little-endian, row-major. Herd writes float32 only and, as for its
 * digests, relies on a little-endian machine: every machine that TensorFlow's binaries for Node support is one.
 */

/** A tensor and where its bytes lie: [begin, end) in the data section. */
export interface TensorEntry {
  name: string
  dtype: string
  shape: readonly number[]
  begin: number
  end: number
}

/** A tensor to be written, with its data in row-major order. */
export interface NamedTensor {
  name: string
  shape: readonly number[]
  values: Float32Array
}

export const METADATA_KEY = '__metadata__'
/** Size in bytes of the header's length, which stands at the beginning of the file. */
export const LENGTH_BYTES = 8
/** The data section begins at a multiple of this many bytes, since readers map the file and use its tensors in place. */
const ALIGNMENT = 8

/**
 * Encodes the beginning of a file, up to the data section; the tensors' bytes must follow in the given order.
 * @param metadata strings only, as the format demands.
 */
export function encodeHeader(tensors: readonly NamedTensor[], metadata: Readonly<Record<string, string>>): Buffer {
  let offset = 0
  const entries = tensors.map(({ name, shape, values }) => {
    const begin = offset
    offset += values.byteLength
    return [name, { dtype: 'F32', shape, data_offsets: [begin, offset] }] as const
  })
  const json = Buffer.from(JSON.stringify(Object.fromEntries([[METADATA_KEY, metadata], ...entries])))
  const length = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT
  const header = Buffer.alloc(LENGTH_BYTES + length, ' ')
  header.writeBigUInt64LE(BigInt(length), 0)
  json.copy(header, LENGTH_BYTES)
  return header
}

/** Encodes a whole file as parts to be written one after the other; the tensors' bytes are views, not copies. */
export function encodeSafetensors(tensors: readonly NamedTensor[], metadata: Readonly<Record<string, string>>): Uint8Array[] {
  return [encodeHeader(tensors, metadata), ...tensors.map(({ values }) => bytesOf(values))]
}
