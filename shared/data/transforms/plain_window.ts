import type { DecodedImage } from './decode.ts'
import { resampleColumn, resampleRow, type AxisWeights } from './resample.ts'
import type { Rotation } from './rotation.ts'

const scratch = { row: new Uint8Array(0), narrowed: new Uint8Array(0), sums: new Int32Array(0) }

/**
 * Computes the window of a resized image in plain TypeScript, as the reference for the kernel. Each source row that the window needs is
 * gathered, flipped and rotated, and resampled along its columns; then the rows are resampled. Nothing is allocated for an image once
 * the buffers have grown to the data set's sizes.
 * @param rotation undefined if the image is neither flipped nor rotated
 * @param columns weights for the window along the image's columns
 * @param rows weights for the window along the image's rows
 * @param out uint8; [rows.length, columns.length, 3] is written from `offset`.
 */
export function plainWindow(image: DecodedImage, rotation: Rotation | undefined, columns: AxisWeights, rows: AxisWeights, out: Uint8Array, offset: number): void {
  const { data, width } = image
  const stride = columns.length * 3
  if (scratch.row.length < columns.span * 3) scratch.row = new Uint8Array(columns.span * 3)
  if (scratch.narrowed.length < rows.span * stride) scratch.narrowed = new Uint8Array(rows.span * stride)
  if (scratch.sums.length < stride) scratch.sums = new Int32Array(stride)
  const { row, narrowed, sums } = scratch

  for (let y = 0; y < rows.span; y++) {
    if (rotation === undefined) {
      resampleRow(data, ((rows.first + y) * width + columns.first) * 3, columns, narrowed, y * stride)
    } else {
      rotation.gatherRow(rows.first + y, columns.first, columns.span, row)
      resampleRow(row, 0, columns, narrowed, y * stride)
    }
  }
  for (let y = 0; y < rows.length; y++) resampleColumn(narrowed, stride, rows, y, out, offset + y * stride, sums)
}
