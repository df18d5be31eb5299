import { relative, resolve } from 'node:path'
import envPaths from 'env-paths'

/** Returns the user's cache folder, for engines, results of data checks and fetched images. HERD_CACHE overrides it. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const chosen = environment['HERD_CACHE'] ?? ''
  return chosen === '' ? envPaths('herd', { suffix: '' }).cache : resolve(chosen)
}

/** Formats a path for people: relative to the current folder if it is below, else unchanged. */
export function shownPath(path: string): string {
  const below = relative('', path)
  return below === '' || below.startsWith('..') ? path : below
}
