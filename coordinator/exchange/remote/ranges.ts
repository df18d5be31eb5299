import { UsageError } from '../../../shared/kit/errors.ts'
import { CHUNK_FLOATS, chunkRanges, type Range } from '../../../shared/vectors/chunks.ts'

/**
 * Cuts a vector into ranges for as many reducers, side by side, where it is also cut into chunks; their numbers of chunks differ by
 * one at most.
 * @param size floats of the vector
 * @param chunkFloats floats of one chunk
 * @throws UsageError when it has fewer chunks than that.
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
