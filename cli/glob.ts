import { sep } from 'node:path'

/** Characters that make an argument a pattern. */
const MAGIC = /[*?[{]/

/** A pattern of paths, for shells that expand none, and for more files than a command line takes. */
export interface Glob {
  /** Folder below which all that matches is; "" for the working directory. */
  base: string
  /** Tells whether a path, with `base` at its beginning, matches; so does all below a folder that matches. */
  matches(path: string): boolean
}

/**
 * Reads a pattern: `*` and `?` stand for characters of a name, `**` for any folders, `[a-c]` and `[!a-c]` for one character, `{jpg,png}` for alternatives; a
 * backslash takes the meaning from the character after it.
 * @returns undefined if the text has nothing of that
 */
export function globOf(pattern: string): Glob | undefined {
  const first = pattern.search(MAGIC)
  if (first < 0) return undefined
  const cut = pattern.lastIndexOf(sep, first)
  const expression = new RegExp(`^(?:${expressionOf(pattern)})(?:/.*)?$`, 'su')
  return { base: cut < 0 ? '' : pattern.slice(0, Math.max(cut, 1)), matches: (path) => expression.test(path) }
}

/** Pieces of a pattern, the longer ones first. A bracket or a brace that is not closed stands for itself. */
const PIECE = /\\(.)|\*\*\/|\*\*|\*|\?|\[(!?)(\]?[^\]/]+)\]|\{([^{}/]*,[^{}/]*)\}|(.)/gsu

function expressionOf(pattern: string): string {
  return pattern.replace(PIECE, (piece, escaped: string | undefined, not: string | undefined, set: string | undefined, alternatives: string | undefined, plain: string | undefined) => {
    if (escaped !== undefined) return literal(escaped)
    if (set !== undefined) return `(?!/)[${not === '!' ? '^' : ''}${set.replace(/[\\\][^&~|]/g, '\\$&')}]`
    if (alternatives !== undefined) return `(?:${alternatives.split(',').map(expressionOf).join('|')})`
    if (plain !== undefined) return literal(plain)
    return { '**/': '(?:[^/]+/)*', '**': '.*', '*': '[^/]*', '?': '[^/]' }[piece] ?? literal(piece)
  })
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}
