import type { DecodedImage } from './decode.ts'
import { resampleColumn, resampleRow, type AxisWeights } from './resample.ts'
import type { Rotation } from './rotation.ts'

const scratch = { row: new Uint8Array(0), narrowed: new Uint8Array(0), sums: new Int32Array(0) }

/**
 * The window of a resized image in plain TypeScript, which the kernel is held to. For each source row that it needs: gather it
 * flipped and rotated, resample it along its columns; then resample the rows. Nothing is allocated for an image once
 * the buffers have grown to the set's sizes.
 * @param rotation none where undefined
 * @param columns what the window needs of the image's columns, and rows of its rows
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
