import { type z } from 'zod'
import type { KeyedRandom } from '../../random/philox.ts'
import type { Geometry } from './geometry.ts'

/**
 * What a transform is. A list of them turns a decoded photograph into what the network takes; each is one file of this folder and one
 * line of the table in transforms.ts.
 */

/** What an image is between two transforms. Each transform takes some of these and gives one, and a list is a chain from the first to the last. */
export const forms = {
  photograph: 'a photograph of any size',
  turned: 'a photograph of any size that was turned',
  resized: 'a photograph that is at least as large as the network\'s images',
  window: 'a square of the network\'s image size',
  normalised: 'normalised numbers',
} as const
export type Form = keyof typeof forms

/** Pixels of the network's image size: uint8 [size, size, 3], RGB, row-major. They may be changed in place. */
export interface Window {
  pixels: Uint8Array
  size: number
}

/**
 * The random numbers of a kind of transform: words of the stream that (seed, epoch, sample) and these three numbers key. No two kinds share a word,
 * so what a transform draws depends neither on those before it nor on those after it: one that is added to a list, wherever, changes no other's.
 */
export interface Draws<Parameters, Drawn> {
  /** At least 1 for a stream of its own, which may be as long as it likes; flip and rotation share stream 0. Results depend on it: it never changes. */
  stream: number
  /** Words of the stream before the first one that is drawn. */
  skip?: number
  /** What the transform does to one image in one epoch. */
  draw(parameters: Parameters, random: KeyedRandom): Drawn
}

type Named = z.ZodObject<{ name: z.ZodLiteral<string> }>

/**
 * A kind of transform. Its arithmetic is integers, or float32 and float64 sums, products and roots, which are the same on every machine: no Math.sin, exp or pow.
 * With `draws`, `aim` and `paint` are handed what was drawn; without, the parameters.
 */
export interface Transform<Schema extends Named = Named, Drawn = unknown> {
  /** Its name and parameters, strict, each parameter with a default. */
  schema: Schema
  takes: readonly Form[]
  gives: Form
  /** Absent: it does the same to an image each time, and so may stand among the evaluation transforms. */
  draws?: Draws<z.output<Schema>, Drawn>
  /** Short side that it needs of the photograph, in pixels: larger ones are reduced while they are decoded. */
  decodedShortSide?(parameters: z.output<Schema>, imageSize: number): number
  /** Says where the window's pixels come from; those of a list are composed, and computed at once (geometry.ts). */
  aim?(geometry: Geometry, drawn: Drawn): Geometry
  /** Changes the window's pixels. */
  paint?(window: Window, drawn: Drawn): void
}

/** A transform without random numbers. */
export function fixedTransform<Schema extends Named>(transform: Omit<Transform<Schema, z.output<Schema>>, 'draws'>): Transform<Schema, z.output<Schema>> {
  return transform
}

/** A transform that draws what it does to an image. */
export function randomTransform<Schema extends Named, Drawn>(transform: Transform<Schema, Drawn> & { draws: Draws<z.output<Schema>, Drawn> }): Transform<Schema, Drawn> & { draws: Draws<z.output<Schema>, Drawn> } {
  return transform
}
