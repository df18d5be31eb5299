import type { DecodedImage } from './decode.ts'

/** The numbers a to f of an affine map from a result's position (x, y) to the source position (ax + by + c, dx + ey + f), as Pillow has them. */
export type Matrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number]

/**
 * PIL's Image.transform(AFFINE, NEAREST) with black outside, after a horizontal flip if there is one, read row by row: for each pixel of the
 * result, the source position comes from the map in 16.16 fixed point (affine_fixed in src/libImaging/Geometry.c).
 * Positions stay below 2^15, as fixed point needs, for sides up to 16,384.
 */
export class Affine {
  readonly #image: DecodedImage
  /** True if the source's columns are counted from the right. */
  readonly flip: boolean
  /** How far the source position moves with each column and each row of the result, in 16.16 fixed point. */
  readonly xByColumn: number
  readonly xByRow: number
  readonly yByColumn: number
  readonly yByRow: number
  readonly #x0: number
  readonly #y0: number

  constructor(image: DecodedImage, [a, b, c, d, e, f]: Matrix, flip = false) {
    this.#image = image
    this.flip = flip
    this.xByColumn = fixed(a)
    this.xByRow = fixed(b)
    this.yByColumn = fixed(d)
    this.yByRow = fixed(e)
    this.#x0 = fixed(c + a * 0.5 + b * 0.5)
    this.#y0 = fixed(f + d * 0.5 + e * 0.5)
  }

  /** Returns the source position of the result's pixel at (column, row), in 16.16 fixed point. */
  source(column: number, row: number): { x: number; y: number } {
    return {
      x: (this.#x0 + row * this.xByRow + column * this.xByColumn) | 0,
      y: (this.#y0 + row * this.yByRow + column * this.yByColumn) | 0,
    }
  }

  /** Writes the pixels [from, from + count) of row y of the result to `row`, uint8 RGB. */
  gatherRow(y: number, from: number, count: number, row: Uint8Array): void {
    const { data, width, height } = this.#image
    const { flip, xByColumn, yByColumn } = this
    let { x: sourceX, y: sourceY } = this.source(from, y)
    for (let to = 0, end = count * 3; to < end; to += 3) {
      const column = sourceX >> 16
      const line = sourceY >> 16
      // A negative position becomes a huge one when it is read as unsigned, so one comparison covers both borders.
      if (column >>> 0 < width && line >>> 0 < height) {
        const p = (line * width + (flip ? width - 1 - column : column)) * 3
        row[to] = data[p]
        row[to + 1] = data[p + 1]
        row[to + 2] = data[p + 2]
      } else {
        row[to] = 0
        row[to + 1] = 0
        row[to + 2] = 0
      }
      sourceX = (sourceX + xByColumn) | 0
      sourceY = (sourceY + yByColumn) | 0
    }
  }
}

/** Converts to 16.16 fixed point, rounded to the nearest (Pillow's FIX). */
function fixed(value: number): number {
  return Math.floor(value * 65536 + 0.5)
}
