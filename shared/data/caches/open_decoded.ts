import path from 'node:path'
import type { Log } from '../../kit/log.ts'
import { DECODED_CACHE_BYTES, DecodedCache } from './decoded_cache.ts'
import type { Samples } from '../columns/samples.ts'
import { PixelCache, type PixelCacheObserver } from './pixel_cache/pixel_cache.ts'

export interface OpenDecodedOptions {
  /** The user's cache folder, `cacheFolder()` or `--cache`. */
  cacheFolder: string
  /** Limit of the cache file in bytes; 0 for no cache file. */
  fileBytes: number
  samples: Samples
  /** Short side to which larger images are reduced while they are decoded, in pixels: `decodeTarget`. */
  shortSide: number
  log: Pick<Log, 'warn'>
  observer?: PixelCacheObserver
}

/** Opens a process's cache of a data set's decoded images: memory and, behind it, the cache file that all processes of the machine share. */
export async function openDecoded({ cacheFolder, fileBytes, samples, shortSide, log, observer }: OpenDecodedOptions): Promise<DecodedCache> {
  if (fileBytes === 0) return new DecodedCache(DECODED_CACHE_BYTES)
  const pixels = await PixelCache.open({
    folder: path.join(cacheFolder, 'pixels'),
    limitBytes: fileBytes,
    files: await samples.byHash(),
    shortSide,
    now: Date.now,
    warn: (text) => log.warn(text),
    ...(observer === undefined ? {} : { observer }),
  })
  return new DecodedCache(DECODED_CACHE_BYTES, { pixels, samples })
}
