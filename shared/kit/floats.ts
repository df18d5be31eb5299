/** Conversions between bytes and float32. On the wire float32 is little-endian, which is the byte order of every machine that Herd's engines run on. */

/** Returns the bytes of a float vector: a view, not a copy. */
export function bytesOf(values: Float32Array): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength)
}

/** Size of the block through which `copyFloats` copies: both sides of each copy stay in a core's own cache. */
const BLOCK_BYTES = 65_536
const block = Buffer.allocUnsafeSlow(BLOCK_BYTES)

/**
 * Copies received bytes, which need not be aligned, into a float vector. V8 copies to shared memory (that of a growing kernel is) byte by byte
 * unless both sides have the same alignment. Copying twice, through a block that has it, takes less than half of the time.
 * @param out vector whose length in bytes is that of `data`
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

/**
 * Interprets received bytes as floats: a view if the memory is aligned, else a copy.
 * @param data little-endian float32; its length must be a multiple of 4
 */
export function floatsOf(data: Buffer): Float32Array {
  if (data.byteOffset % 4 === 0) return new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4)
  // The unpooled buffer begins at offset 0, so it is aligned; it is not filled with zeros first.
  const copy = Buffer.allocUnsafeSlow(data.byteLength)
  copy.set(data)
  return new Float32Array(copy.buffer, 0, data.byteLength / 4)
}
