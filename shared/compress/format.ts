/**
 * Formats that gradients and weights may travel in. Each is a set of numbers that it can hold: a vector is first rounded to them,
 * and then loses nothing on the wire.
 *
 * - bf16: the upper half of a float32, so its whole range with 8 significant bits.
 * - int8: blocks of 64 integers from -127 to 127 with one power of two as their scale, as the MX formats have it (Open Compute
 *   Project, "OCP Microscaling Formats (MX) Specification", 2023, section 5.2). A block with a value that is not finite, or is beyond 127 * 2^121, is all NaN.
 */
export const compressions = ['none', 'bf16', 'int8'] as const
export type Compression = (typeof compressions)[number]

/** What is not float32 as it is. */
export type Format = Exclude<Compression, 'none'>

/** Elements with a scale in common. Whatever is rounded begins at a multiple of it in its vector. */
export const BLOCK_FLOATS = 64

/** Bytes of so many floats on the wire. */
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
