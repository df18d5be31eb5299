/** Float32 on the wire is little-endian, which is the memory order of every machine that Herd's engines run on. */

/** The bytes of a float vector: a view, not a copy. */
export function bytesOf(values: Float32Array): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength)
}

/** Received bytes as floats: a view where the memory is aligned, else a copy. The length must be a multiple of 4. */
export function floatsOf(data: Buffer): Float32Array {
  if (data.byteOffset % 4 === 0) return new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4)
  // Not one of Node's pool, and not filled with zeros first.
  const copy = Buffer.allocUnsafeSlow(data.byteLength)
  copy.set(data)
  return new Float32Array(copy.buffer, 0, data.byteLength / 4)
}
