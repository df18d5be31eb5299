import { createHash, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { inspect } from 'node:util'
import { messageOf, UsageError } from '../kit/errors.ts'

/** Shape of a token: long enough that nobody guesses it, short enough for a header, and printable, since it is sent in a header. */
const SHAPE = /^[\x21-\x7e]{16,1024}$/
const EXPECTED = 'expected 16 to 1024 printable characters without spaces, e.g. of `openssl rand -hex 32`.'
const PREFIX = 'Bearer '

/** The secret that lets a worker join. It is never shown: not as text, not as JSON, not when it is inspected. */
export class Token {
  readonly #text: string
  readonly #hash: Buffer

  /**
   * @param source name of the token's origin for error messages, which never contain the token itself
   * @throws UsageError if the text does not have the shape of a token
   */
  constructor(text: string, source: string) {
    if (!SHAPE.test(text)) throw new UsageError(`${source}: this is no token: ${EXPECTED}`)
    this.#text = text
    this.#hash = hashOf(this.header)
  }

  /** Value of the metadata `authorization` that is sent with each call. */
  get header(): string {
    return PREFIX + this.#text
  }

  /** Environment variables that hand the token on to a worker on this machine. */
  get environment(): Record<string, string> {
    return { [VARIABLE]: this.#text }
  }

  /** True if a call's `authorization` has this token. The comparison takes the same time wherever the two differ. */
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
 * Takes the token from HERD_TOKEN, which is deleted from the environment so that no other program inherits it, or from a file. There is no
 * option for the token itself, because everybody on a machine can read command lines.
 * @param file file of --token-file; white space around its text is not part of the token
 * @returns undefined if neither is given
 * @throws UsageError that names the file or the variable, if both are given, or the token cannot be read or has another shape
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
