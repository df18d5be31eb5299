import { cosineOf, sineOf } from '../../kit/trigonometry.ts'
import { type DecodedImage } from './decode.ts'

/**
 * A horizontal flip, then PIL's Image.rotate(degrees, NEAREST) about the centre with black outside, read row by row:
 * for each pixel of the result, the source position comes from an affine map in 16.16 fixed point
 * (Pillow: Image.rotate for the matrix, affine_fixed in src/libImaging/Geometry.c for the walk).
 * Positions stay below 2^15, as fixed point needs, for sides up to 16,384.
 */
export class Rotation {
  readonly #image: DecodedImage
  /** True if the source's columns are counted from the right. */
  readonly flip: boolean
  /** Source x = (x0 + column * cos + row * sin) >> 16, y = (y0 - column * sin + row * cos) >> 16. */
  readonly cosine: number
  readonly sine: number
  readonly minusSine: number
  readonly #x0: number
  readonly #y0: number

  constructor(image: DecodedImage, { flip, degrees }: { flip: boolean; degrees: number }) {
    this.#image = image
    this.flip = flip
    const radians = -degrees * (Math.PI / 180)
    const cosine = round15(cosineOf(radians))
    const sine = round15(sineOf(radians))
    const centreX = image.width / 2
    const centreY = image.height / 2
    const shiftX = cosine * -centreX + sine * -centreY + centreX
    const shiftY = -sine * -centreX + cosine * -centreY + centreY
    this.cosine = fixed(cosine)
    this.sine = fixed(sine)
    this.minusSine = fixed(-sine)
    this.#x0 = fixed(shiftX + cosine * 0.5 + sine * 0.5)
    this.#y0 = fixed(shiftY + -sine * 0.5 + cosine * 0.5)
  }

  /** Returns the source position of the result's pixel at (column, row), in 16.16 fixed point. */
  source(column: number, row: number): { x: number; y: number } {
    return {
      x: (this.#x0 + row * this.sine + column * this.cosine) | 0,
      y: (this.#y0 + row * this.cosine + column * this.minusSine) | 0,
    }
  }

  /** Writes the pixels [from, from + count) of row y of the result to `row`, uint8 RGB. */
  gatherRow(y: number, from: number, count: number, row: Uint8Array): void {
    const { data, width, height } = this.#image
    const { flip, cosine, minusSine } = this
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
      sourceX = (sourceX + cosine) | 0
      sourceY = (sourceY + minusSine) | 0
    }
  }
}

/** Converts to 16.16 fixed point, rounded to the nearest (Pillow's FIX). */
function fixed(value: number): number {
  return Math.floor(value * 65536 + 0.5)
}

/** Rounds to 15 decimals, as Pillow rounds the matrix; toFixed is exact by its specification. */
function round15(value: number): number {
  return Number(value.toFixed(15))
}
