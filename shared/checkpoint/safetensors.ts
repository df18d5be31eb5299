import { bytesOf } from '../kit/floats.ts'

/**
 * The safetensors file format (https://github.com/huggingface/safetensors#format): an unsigned 64-bit length, that many
 * bytes of JSON, then the tensors' bytes without gaps, little-endian, row-major. Herd writes float32 only, and like its
 * digests takes a little-endian machine for granted, as every machine with Node's binaries for TensorFlow is.
 */

/** A tensor and where its bytes lie: [begin, end) in the data section. */
export interface TensorEntry {
  name: string
  dtype: string
  shape: readonly number[]
  begin: number
  end: number
}

/** Data of one tensor to be written. */
export interface NamedTensor {
  name: string
  shape: readonly number[]
  values: Float32Array
}

export const METADATA_KEY = '__metadata__'
/** Bytes of the length at the beginning of the file. */
export const LENGTH_BYTES = 8
/** Readers map the file and use tensors in place, so the data section begins at a multiple of this. */
const ALIGNMENT = 8

/**
 * The beginning of a file, up to the data section, which is to be the tensors' bytes in the given order.
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

/** A whole file as parts to be written one after the other; the tensors' bytes are views, not copies. */
export function encodeSafetensors(tensors: readonly NamedTensor[], metadata: Readonly<Record<string, string>>): Uint8Array[] {
  return [encodeHeader(tensors, metadata), ...tensors.map(({ values }) => bytesOf(values))]
}
