/** Float32 on the wire is little-endian, which is the memory order of every machine that Herd's engines run on. */

/** The bytes of a float vector: a view, not a copy. */
export function bytesOf(values: Float32Array): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength)
}

/** Through a block of this size both sides of a copy stay in a core's own cache. */
const BLOCK_BYTES = 65_536
const block = Buffer.allocUnsafeSlow(BLOCK_BYTES)

/**
 * Copies received bytes, which need not be aligned, to where floats are. V8 copies to memory that is shared, as that of a growing kernel is,
 * byte by byte unless both sides are aligned alike: through a block that is, the bytes are copied twice and in less than half of the time.
 * @param out as long
 */
export function copyFloats(data: Buffer, out: Float32Array): void {
  const target = bytesOf(out)
  if (!(out.buffer instanceof SharedArrayBuffer)) {
    target.set(data)
    return
  }
  for (let begin = 0; begin < data.length; begin += BLOCK_BYTES) {
    const part = data.subarray(begin, begin + BLOCK_BYTES)
    block.set(part)
    target.set(block.subarray(0, part.length), begin)
  }
}

/** Received bytes as floats: a view where the memory is aligned, else a copy. The length must be a multiple of 4. */
export function floatsOf(data: Buffer): Float32Array {
  if (data.byteOffset % 4 === 0) return new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4)
  // Not one of Node's pool, and not filled with zeros first.
  const copy = Buffer.allocUnsafeSlow(data.byteLength)
  copy.set(data)
  return new Float32Array(copy.buffer, 0, data.byteLength / 4)
}
