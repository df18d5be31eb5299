/**
 * Exchanges left and right of prepared images.
 * @param images uint8 [count, size, size, 3]
 * @returns a new array of the same shape
 */
export function mirrored(images: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(images.length)
  for (let row = 0; row < images.length; row += size * 3) {
    for (let from = row, to = row + (size - 1) * 3; from < row + size * 3; from += 3, to -= 3) {
      out[to] = images[from]
      out[to + 1] = images[from + 1]
      out[to + 2] = images[from + 2]
    }
  }
  return out
}

/**
 * Averages the logits of images and of their mirror images, in float32.
 * @param logits float32 [count, classes], as the other
 */
export function averageOf(logits: Float32Array, others: Float32Array): Float32Array {
  return logits.map((value, index) => (value + others[index]) / 2)
}
