import envPaths from 'env-paths'

/** The user's cache folder: engines, results of data checks, fetched images. HERD_CACHE overrides it. */
export function cacheFolder(): string {
  return process.env['HERD_CACHE'] ?? envPaths('herd', { suffix: '' }).cache
}
