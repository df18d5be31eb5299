import { isPrintable } from '../../kit/fields.ts'

/** Longest path in a data set, in characters: Linux's PATH_MAX. */
export const MAX_PATH = 4096

/**
 * Says why `path` cannot be the relative path of an image on every system; undefined if it can. Scans and manifests have the same
 * rule: what a scan accepts is what a manifest from another machine may contain.
 */
export function pathProblem(path: string): string | undefined {
  if (path.length === 0 || path.length > MAX_PATH) return `must have 1 to ${MAX_PATH} characters`
  // Control characters, also those that turn the direction of writing, would forge lines in logs and terminals; a backslash separates folders on Windows.
  if (!isPrintable(path) || path.includes('\\')) return 'must not contain control characters or a backslash'
  // "c:x" is a place on another drive of Windows; a class called "a: first" is not meant so.
  if (path.startsWith('/') || /^[a-z]:(?! )/i.test(path)) return 'must not be absolute'
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..')) return "must not have empty parts, '.' or '..'"
  if (path !== path.normalize('NFC')) return 'must be Unicode-normalised (NFC)'
  return undefined
}

/** Compares two strings by UTF-16 code units, which gives the same order in every locale. */
export function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
