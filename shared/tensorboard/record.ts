import { crc32c } from '@aws-crypto/crc32c'

/**
 * Builds a record of a TFRecord file: the length (u64), its checksum, the data, their checksum. Numbers are little-endian. The checksums are
 * CRC-32C, masked because a CRC over data that contains its own CRC says little.
 */
export function recordOf(data: Uint8Array): Buffer {
  const record = Buffer.alloc(12 + data.length + 4)
  record.writeBigUInt64LE(BigInt(data.length), 0)
  record.writeUInt32LE(maskedCrc(record.subarray(0, 8)), 8)
  record.set(data, 12)
  record.writeUInt32LE(maskedCrc(data), 12 + data.length)
  return record
}

const MASK_DELTA = 0xa282ead8

/** Computes a masked CRC-32C: rotated right by 15 bits, plus a constant. */
export function maskedCrc(data: Uint8Array): number {
  const crc = crc32c(data)
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0
}
