import { UsageError } from '../../../shared/kit/errors.ts'
import { CHUNK_FLOATS, chunkRanges, type Range } from '../../../shared/vectors/chunks.ts'

/**
 * Cuts a vector into adjacent ranges, one per reducer, at the boundaries of chunks. The numbers of chunks in them differ by one at
 * most.
 * @param size length of the vector in floats
 * @param chunkFloats length of a chunk in floats
 * @throws UsageError if the vector has fewer chunks than there are reducers
 */
export function cutRanges(size: number, reducers: number, chunkFloats = CHUNK_FLOATS): Range[] {
  const chunks = chunkRanges(size, chunkFloats)
  if (chunks.length < reducers) {
    const most = chunks.length === 1 ? '1: it is too small to be cut' : String(chunks.length)
    throw new UsageError(`--reducers ${reducers}: expected at most ${most}, since the network's ${size} parameters are reduced in chunks of ${chunkFloats}.`)
  }
  return Array.from({ length: reducers }, (_, index) => ({
    begin: chunks[Math.floor((index * chunks.length) / reducers)].begin,
    end: chunks[Math.floor(((index + 1) * chunks.length) / reducers) - 1].end,
  }))
}
