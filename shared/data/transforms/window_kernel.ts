import type { DecodedImage } from './decode.ts'
import type { AxisWeights } from './resample.ts'
import type { Rotation } from './rotation.ts'
import { growTo, loadKernel } from '../../kernels/kernel.ts'

interface TransformFunctions {
  narrow(source: number, sourceStride: number, rows: number, axis: number, pairs: number, length: number, target: number): void
  narrowRotated(
    image: number, width: number, height: number, flip: boolean, x0: number, y0: number, cosine: number, sine: number, minusSine: number,
    columns: number, rows: number, row: number, axis: number, pairs: number, length: number, target: number,
  ): void
  shorten(source: number, stride: number, axis: number, pairs: number, length: number, target: number): void
}

/** An implementation of `plainWindow` of shared/data/transforms/plain_window.ts: it has the same parameters and results. */
export type WindowTransform = (image: DecodedImage, rotation: Rotation | undefined, columns: AxisWeights, rows: AxisWeights, out: Uint8Array, offset: number) => void

/** Bytes behind a buffer's end that the kernel may read and write, since it handles whole SIMD vectors. */
const SLACK_BYTES = 16
/** Bits of a weight's lower half: the kernel multiplies numbers of 16 bits, so it takes each weight in two halves. */
const LOWER_BITS = 11
const LOWER_MASK = (1 << LOWER_BITS) - 1

interface PackedAxis {
  pairs: number
  /** The 1 + 2 * pairs numbers of each output position: its start, then for each pair of weights their upper and their lower halves. */
  numbers: Int32Array
}
/** Packed axes by their weights, which are shared by axes that differ only in where they begin. */
const packedAxes = new WeakMap<Int32Array, PackedAxis>()

/** Packs an axis as the kernel reads it, once for each cached axis. An odd last tap gets a partner of weight zero. */
function packAxis({ length, taps, starts, weights }: AxisWeights): PackedAxis {
  const known = packedAxes.get(weights)
  if (known !== undefined) return known
  const pairs = Math.ceil(taps / 2)
  const numbers = new Int32Array(length * (1 + 2 * pairs))
  for (let i = 0, to = 0; i < length; i++) {
    numbers[to++] = starts[i]
    for (let tap = 0; tap < taps; tap += 2) {
      const first = weights[i * taps + tap]
      const second = tap + 1 < taps ? weights[i * taps + tap + 1] : 0
      numbers[to++] = (first >> LOWER_BITS) | ((second >> LOWER_BITS) << 16)
      numbers[to++] = (first & LOWER_MASK) | ((second & LOWER_MASK) << 16)
    }
  }
  const packed = { pairs, numbers }
  packedAxes.set(weights, packed)
  return packed
}

/** Loads the window kernel. @returns undefined if it cannot be loaded: see `loadKernel` */
export function kernelTransform(): WindowTransform | undefined {
  const kernel = loadKernel<TransformFunctions>('transforms', 0)
  if (kernel === undefined) return undefined
  const { functions, memory } = kernel

  return (image, rotation, columns, rows, out, offset) => {
    const { data, width, height } = image
    const stride = columns.length * 3
    const packedColumns = packAxis(columns)
    const packedRows = packAxis(rows)

    // Buffers follow each other, each aligned and with slack behind it.
    let used = 0
    const place = (bytes: number): number => {
      const at = used
      used = (at + bytes + 2 * SLACK_BYTES - 1) & -SLACK_BYTES
      return at
    }
    // Only a rotation reads rows other than those that the window needs.
    const source = rotation === undefined ? data.subarray(rows.first * width * 3, (rows.first + rows.span) * width * 3) : data
    const atSource = place(source.length)
    const atColumns = place(packedColumns.numbers.byteLength)
    const atRows = place(packedRows.numbers.byteLength)
    const atRow = place(columns.span * 3)
    const atNarrowed = place((rows.span + 1) * stride)
    const atOut = place(rows.length * stride)
    growTo(memory, used)

    new Uint8Array(memory.buffer, atSource).set(source)
    const numbers = new Int32Array(memory.buffer)
    numbers.set(packedColumns.numbers, atColumns >> 2)
    numbers.set(packedRows.numbers, atRows >> 2)
    if (rotation === undefined) {
      functions.narrow(atSource + columns.first * 3, width * 3, rows.span, atColumns, packedColumns.pairs, columns.length, atNarrowed)
    } else {
      const { flip, xByColumn, xByRow, yByColumn } = rotation
      const { x, y } = rotation.source(columns.first, rows.first)
      functions.narrowRotated(
        atSource, width, height, flip, x, y, xByColumn, xByRow, yByColumn,
        columns.span, rows.span, atRow, atColumns, packedColumns.pairs, columns.length, atNarrowed,
      )
    }
    functions.shorten(atNarrowed, stride, atRows, packedRows.pairs, rows.length, atOut)
    out.set(new Uint8Array(memory.buffer, atOut, rows.length * stride), offset)
  }
}
