import { roundToEven } from '../../kit/rounding.ts'
import { cosineOf, sineOf } from '../../kit/trigonometry.ts'
import { Affine, type Matrix } from './affine.ts'
import type { DecodedImage } from './decode.ts'

/** A horizontal flip, then PIL's Image.rotate(degrees, NEAREST) about the centre with black outside. */
export class Rotation extends Affine {
  /** @param degrees anticlockwise, from -180 to 180 */
  constructor(image: DecodedImage, { flip, degrees }: { flip: boolean; degrees: number }) {
    super(image, rotationMatrix(image, degrees), flip)
  }
}

/** Computes the map of Pillow's Image.rotate. */
function rotationMatrix({ width, height }: DecodedImage, degrees: number): Matrix {
  const [cosine, sine] = directionOf(degrees).map(round15)
  const centreX = width / 2
  const centreY = height / 2
  return [
    cosine, sine, cosine * -centreX + sine * -centreY + centreX,
    -sine, cosine, -sine * -centreX + cosine * -centreY + centreY,
  ]
}

/** Computes cosine and sine of the turned angle: of what is left of it beside whole quarters, which exchange them. */
function directionOf(degrees: number): readonly [cosine: number, sine: number] {
  const quarters = roundToEven(degrees / 90)
  const radians = -(degrees - 90 * quarters) * (Math.PI / 180)
  const cosine = cosineOf(radians)
  const sine = sineOf(radians)
  return ([[cosine, sine], [sine, -cosine], [-cosine, -sine], [-sine, cosine]] as const)[quarters & 3]
}

/** Rounds to 15 decimals, as Pillow rounds the matrix; toFixed is exact by its specification. */
function round15(value: number): number {
  return Number(value.toFixed(15))
}
