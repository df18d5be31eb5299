import { createHash, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { inspect } from 'node:util'
import { messageOf, UsageError } from '../kit/errors.ts'

/** Long enough that nobody guesses it, short enough for a header; printable, since it travels in one. */
const SHAPE = /^[\x21-\x7e]{16,1024}$/
const EXPECTED = 'expected 16 to 1024 printable characters without spaces, e.g. of `openssl rand -hex 32`.'
const PREFIX = 'Bearer '

/** The secret that lets a worker join. It shows nowhere: neither as text, nor as JSON, nor when it is inspected. */
export class Token {
  readonly #text: string
  readonly #hash: Buffer

  /** @param source names where the text is from; the text itself is in no message. @throws UsageError when it is not of the shape of a token. */
  constructor(text: string, source: string) {
    if (!SHAPE.test(text)) throw new UsageError(`${source}: this is no token: ${EXPECTED}`)
    this.#text = text
    this.#hash = hashOf(this.header)
  }

  /** What travels with each call, as its metadata `authorization`. */
  get header(): string {
    return PREFIX + this.#text
  }

  /** For the environment of a worker on this machine. */
  get environment(): Record<string, string> {
    return { [VARIABLE]: this.#text }
  }

  /** Whether a call's `authorization` is this token's; takes the same time wherever the two differ. */
  admits(header: string): boolean {
    return timingSafeEqual(hashOf(header), this.#hash)
  }

  toString(): string {
    return '(token)'
  }

  toJSON(): string {
    return this.toString()
  }

  [inspect.custom](): string {
    return this.toString()
  }
}

const VARIABLE = 'HERD_TOKEN'

/**
 * The token of HERD_TOKEN, which is taken out of the environment so that no other program inherits it, or of a file.
 * There is no option with the token itself: everybody on a machine can read command lines.
 * @param file of --token-file; white space around its text is no part of the token.
 * @returns undefined where neither is given.
 * @throws UsageError that names the file or the variable.
 */
export async function takeToken(environment: NodeJS.ProcessEnv, file: string | undefined): Promise<Token | undefined> {
  const text = environment[VARIABLE] === '' ? undefined : environment[VARIABLE]
  delete environment[VARIABLE]
  if (file === undefined) return text === undefined ? undefined : new Token(text, VARIABLE)
  if (text !== undefined) throw new UsageError(`--token-file ${file} and ${VARIABLE} exclude each other: choose one.`)
  const content = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UsageError(`--token-file ${file} cannot be read: ${messageOf(error)}`)
  })
  return new Token(content.trim(), `--token-file ${file}`)
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
