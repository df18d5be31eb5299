import { relative, resolve } from 'node:path'
import envPaths from 'env-paths'

/** The user's cache folder: engines, results of data checks, fetched images. HERD_CACHE overrides it. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const chosen = environment['HERD_CACHE'] ?? ''
  return chosen === '' ? envPaths('herd', { suffix: '' }).cache : resolve(chosen)
}

/** A path as people see it: from where they are, when it is below. */
export function shownPath(path: string): string {
  const below = relative('', path)
  return below === '' || below.startsWith('..') ? path : below
}
