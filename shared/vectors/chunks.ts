/** Where the vector is cut for the wire: chunks of about 1 MiB. */
export const CHUNK_FLOATS = 262144

/** Elements begin <= i < end of a flat vector. */
export interface Range {
  begin: number
  end: number
}

export function chunkRanges(size: number, chunkFloats = CHUNK_FLOATS): Range[] {
  const count = Math.ceil(size / chunkFloats)
  return Array.from({ length: count }, (_, i) => ({ begin: i * chunkFloats, end: Math.min(size, (i + 1) * chunkFloats) }))
}
