/**
 * Prepares a photograph as training did, to the last bit: the short side is resized, and a square is taken from the middle. The canvas of browsers resizes as
 * each of them likes; this is the bilinear filter with antialiasing of Pillow and torchvision, in whole numbers.
 */

/** Fractional bits of a weight. */
const BITS = 22

/**
 * Computes from which positions, and with which weights, an axis of the square is summed.
 * @param {number} input length of the photograph's axis in pixels
 * @param {number} output length to which it is resized
 * @param {number} begin where the square begins in the resized photograph
 * @param {number} length side of the square
 * @returns {{ start: number, weights: number[] }[]} for each position of the square
 */
function axisOf(input, output, begin, length) {
  const scale = input / output
  const reach = Math.max(scale, 1)
  return Array.from({ length }, (_, index) => {
    const centre = (begin + index + 0.5) * scale
    const start = Math.max(Math.trunc(centre - reach + 0.5), 0)
    const end = Math.min(Math.trunc(centre + reach + 0.5), input)
    const shares = Array.from({ length: end - start }, (_share, x) => Math.max(1 - Math.abs((start + x - centre + 0.5) * (1 / reach)), 0))
    const sum = shares.reduce((a, b) => a + b, 0)
    return { start, weights: shares.map((share) => Math.trunc(0.5 + (share / sum) * 2 ** BITS)) }
  })
}

/**
 * Sums pixels along one axis.
 * @param {{ start: number, weights: number[] }} position
 * @param {(index: number) => number} valueAt
 */
function sumOf({ start, weights }, valueAt) {
  let sum = 2 ** (BITS - 1)
  for (let tap = 0; tap < weights.length; tap++) sum += valueAt(start + tap) * weights[tap]
  return sum >> BITS
}

/**
 * Where a square begins that is taken from the middle; half a pixel goes to the even number.
 * @param {number} size
 * @param {number} crop
 */
function middle(size, crop) {
  const half = (size - crop) / 2
  return Number.isInteger(half) ? half : 2 * Math.round(half / 2)
}

/**
 * @param {{ data: ArrayLike<number>, width: number, height: number }} photograph its pixels: red, green, blue and alpha, which is not looked at
 * @param {{ resize: { shortSide: number }, centreCrop: number }} preprocessing of preprocessing.json
 * @returns {Uint8Array} rows of red, green and blue
 */
export function prepare({ data, width, height }, { resize: { shortSide }, centreCrop: side }) {
  const short = Math.min(width, height)
  const [resizedWidth, resizedHeight] = [width, height].map((size) => Math.trunc((shortSide * size) / short))
  const columns = axisOf(width, resizedWidth, middle(resizedWidth, side), side)
  const rows = axisOf(height, resizedHeight, middle(resizedHeight, side), side)
  const narrowed = new Uint8Array(height * side * 3)
  const square = new Uint8Array(side * side * 3)
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < height; y++) {
      columns.forEach((column, x) => (narrowed[(y * side + x) * 3 + channel] = sumOf(column, (from) => data[(y * width + from) * 4 + channel])))
    }
    rows.forEach((row, y) => {
      for (let x = 0; x < side; x++) square[(y * side + x) * 3 + channel] = sumOf(row, (from) => narrowed[(from * side + x) * 3 + channel])
    })
  }
  return square
}
