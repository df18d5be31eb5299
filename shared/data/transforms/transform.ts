import { type z } from 'zod'
import type { KeyedRandom } from '../../random/philox.ts'
import type { Geometry } from './geometry.ts'

/**
 * Types of the transforms. A list of transforms turns a decoded photograph into the network's input; each kind of transform is one file of
 * this folder and one line of the table in transforms.ts.
 */

/** Forms of an image between two transforms. Each transform takes some of these and gives one; a list leads from the first form here to the last. */
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
 * The random numbers of a kind of transform: words of a stream that is keyed by seed, epoch, sample and `stream`. No two kinds share a word,
 * so what a transform draws does not depend on those of other kinds: adding one to a list, at any place, does not change what they draw.
 */
export interface Draws<Parameters, Drawn> {
  /**
   * Number of the stream. One of at least 1 belongs to a single kind, which may draw any number of words; flip and rotate share stream 0.
   * Results depend on it, so it must never change.
   */
  stream: number
  /** Number of the stream's words that are skipped before the first draw. */
  skip?: number
  /** True if the words of an image are the same in each epoch: what is drawn then changes only as `draw` lets the epoch change it. */
  sameInEachEpoch?: boolean
  /** Draws what the transform does to one image in one epoch. Epochs are counted from 1. */
  draw(parameters: Parameters, random: KeyedRandom, epoch: number): Drawn
}

type Named = z.ZodObject<{ name: z.ZodLiteral<string> }>

/**
 * A kind of transform. Its arithmetic must be the same on every machine: integers, or sums, products and roots in float32 and float64, but no Math.sin, exp or pow.
 * `aim` and `paint` get what `draws` has drawn or, if the transform has no `draws`, its parameters.
 */
export interface Transform<Schema extends Named = Named, Drawn = unknown> {
  /** Strict schema of the transform's name and parameters; every parameter has a default. */
  schema: Schema
  takes: readonly Form[]
  gives: Form
  /** Absent if the transform does the same to an image each time; only then can it be an evaluation transform. */
  draws?: Draws<z.output<Schema>, Drawn>
  /** Returns the short side in pixels that the transform needs of a photograph: larger photographs are reduced to it while they are decoded. */
  decodedShortSide?(parameters: z.output<Schema>, imageSize: number): number
  /** Changes where the window's pixels come from. The changes of a whole list are composed, and computed at once (geometry.ts). */
  aim?(geometry: Geometry, drawn: Drawn): Geometry
  /** Changes the window's pixels. */
  paint?(window: Window, drawn: Drawn): void
}

/** Declares a transform without random numbers. */
export function fixedTransform<Schema extends Named>(transform: Omit<Transform<Schema, z.output<Schema>>, 'draws'>): Transform<Schema, z.output<Schema>> {
  return transform
}

/** Declares a transform that draws what it does to an image. */
export function randomTransform<Schema extends Named, Drawn>(transform: Transform<Schema, Drawn> & { draws: Draws<z.output<Schema>, Drawn> }): Transform<Schema, Drawn> & { draws: Draws<z.output<Schema>, Drawn> } {
  return transform
}
