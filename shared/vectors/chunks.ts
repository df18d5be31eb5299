/** Number of floats in a chunk, in which the vector is cut for the wire: 1 MiB. */
export const CHUNK_FLOATS = 262144

/** A range of a flat vector: elements begin <= i < end. */
export interface Range {
  begin: number
  end: number
}

/** Cuts a vector of `size` floats into chunks, in order; the last one may be shorter. */
export function chunkRanges(size: number, chunkFloats = CHUNK_FLOATS): Range[] {
  const count = Math.ceil(size / chunkFloats)
  return Array.from({ length: count }, (_, i) => ({ begin: i * chunkFloats, end: Math.min(size, (i + 1) * chunkFloats) }))
}
