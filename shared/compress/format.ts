/**
 * Formats in which gradients and weights can be sent. Each format is a set of numbers: a vector is first rounded to these numbers,
 * and is then sent without loss.
 *
 * - bf16: the upper half of a float32, and so its whole range with 8 significant bits.
 * - int8: blocks of 64 integers from -127 to 127 with one power of two as their scale, as in the MX formats (Open Compute
 *   Project, "OCP Microscaling Formats (MX) Specification", 2023, section 5.2). A block with a value that is not finite, or is beyond 127 * 2^121, is all NaN.
 */
export const compressions = ['none', 'bf16', 'int8'] as const
export type Compression = (typeof compressions)[number]

/** A format other than plain float32. */
export type Format = Exclude<Compression, 'none'>

/** Elements of int8 that share a scale. A part of a vector that is rounded or encoded on its own must begin at a multiple of this. */
export const BLOCK_FLOATS = 64

/** Returns how many bytes a number of floats takes on the wire. */
export function encodedBytes(compression: Compression, floats: number): number {
  switch (compression) {
    case 'none':
      return 4 * floats
    case 'bf16':
      return 2 * floats
    case 'int8':
      return Math.ceil(floats / BLOCK_FLOATS) + floats
  }
}
