import { createHash, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { inspect } from 'node:util'
import { messageOf, UsageError } from '../kit/errors.ts'
import { followFile } from '../kit/follow_file.ts'
import type { Log } from '../kit/log.ts'
import { isIdentityName } from './identity.ts'

/** Shape of a token: long enough that nobody guesses it, short enough for a header, and printable, since it is sent in a header. */
const SHAPE = /^[\x21-\x7e]{16,1024}$/
const EXPECTED = 'expected 16 to 1024 printable characters without spaces, e.g. of `openssl rand -hex 32`.'
const PREFIX = 'Bearer '

/** Holder of a token. */
export interface Holder {
  /** Name of the token in its file; undefined if it has none. */
  name: string | undefined
}

/** The secrets of a cluster as a process knows them: those that it admits, and the one that it presents. */
export interface Tokens {
  /** Value of the metadata `authorization` that is sent with each call. */
  readonly header: string
  /** What hands the secret on to a process on this machine: environment variables, since everybody can read command lines, or the name of the file. */
  readonly handedOn: { environment: Record<string, string>; arguments: string[] }
  /** Returns who presents a call's `authorization`; undefined if it is none of these tokens. The comparison takes the same time wherever two differ. */
  holderOf(header: string): Holder | undefined
}

/** The secret that lets a worker join. It is never shown: not as text, not as JSON, not when it is inspected. */
export class Token implements Tokens {
  readonly name: string | undefined
  readonly #text: string
  readonly #hash: Buffer

  /**
   * @param source name of the token's origin for error messages, which never contain the token itself
   * @param name whom it stands for
   * @throws UsageError if the text does not have the shape of a token
   */
  constructor(text: string, source: string, name?: string) {
    if (!SHAPE.test(text)) throw new UsageError(`${source}: this is no token: ${EXPECTED}`)
    this.name = name
    this.#text = text
    this.#hash = hashOf(this.header)
  }

  get header(): string {
    return PREFIX + this.#text
  }

  get handedOn(): { environment: Record<string, string>; arguments: string[] } {
    return { environment: { [VARIABLE]: this.#text }, arguments: [] }
  }

  holderOf(header: string): Token | undefined {
    return this.hasHash(hashOf(header)) ? this : undefined
  }

  /** True if this is the hash of the token's header. */
  hasHash(hash: Buffer): boolean {
    return timingSafeEqual(hash, this.#hash)
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

/** The tokens of a file, each with the name of who has it, or without: the first is the one that this process presents. */
export class TokenFile implements Tokens {
  readonly #file: string
  #text: string
  #tokens: readonly Token[]

  private constructor(file: string, text: string) {
    this.#file = file
    this.#text = text
    this.#tokens = tokensOf(file, text)
  }

  /** @throws UsageError that names the file, and the line, if it cannot be used */
  static async read(file: string): Promise<TokenFile> {
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      throw new UsageError(`--token-file ${file} cannot be read: ${messageOf(error)}`)
    })
    return new TokenFile(file, text)
  }

  get header(): string {
    return this.#tokens[0].header
  }

  get handedOn(): { environment: Record<string, string>; arguments: string[] } {
    return { environment: {}, arguments: ['--token-file', path.resolve(this.#file)] }
  }

  holderOf(header: string): Token | undefined {
    const hash = hashOf(header)
    // All are compared, so that the time tells nothing of which one it is.
    return this.#tokens.filter((token) => token.hasHash(hash)).at(0)
  }

  /**
   * Takes the file's tokens anew when it changes, so that tokens are exchanged without a new start. Where the file cannot be used, the tokens
   * before it stay.
   * @returns a function that ends this
   */
  follow(log: Pick<Log, 'info' | 'warn'>, everyMs?: number): () => void {
    return followFile(this.#file, {
      text: this.#text, everyMs,
      take: (text) => {
        this.#tokens = tokensOf(this.#file, text)
        this.#text = text
        log.info(`--token-file ${this.#file} has changed, and is in force: ${this.#tokens.length} token${this.#tokens.length === 1 ? '' : 's'}.`)
      },
      onTrouble: (reason) => log.warn(`${reason} The tokens that it had before stay in force.`),
    })
  }

  toJSON(): string {
    return '(tokens)'
  }

  [inspect.custom](): string {
    return this.toJSON()
  }
}

const VARIABLE = 'HERD_TOKEN'

/**
 * Takes the token from HERD_TOKEN, which is deleted from the environment so that no other program inherits it, or tokens from a file. There is no
 * option for the token itself, because everybody on a machine can read command lines.
 * @param file file of --token-file: a token a line, with a name before it or without; white space around it is no part of it
 * @returns undefined if neither is given
 * @throws UsageError that names the file or the variable, if both are given, or the token cannot be read or has another shape
 */
export async function takeToken(environment: NodeJS.ProcessEnv, file: string | undefined): Promise<Token | TokenFile | undefined> {
  const text = environment[VARIABLE] === '' ? undefined : environment[VARIABLE]
  delete environment[VARIABLE]
  if (file === undefined) return text === undefined ? undefined : new Token(text, VARIABLE)
  if (text !== undefined) throw new UsageError(`--token-file ${file} and ${VARIABLE} exclude each other: choose one.`)
  return TokenFile.read(file)
}

/** Follows the file of tokens, if they are of one. @returns a function that ends this */
export function followTokens(tokens: Tokens | undefined, log: Pick<Log, 'info' | 'warn'>): () => void {
  return tokens instanceof TokenFile ? tokens.follow(log) : () => undefined
}

/** Reads the lines `TOKEN` and `NAME TOKEN`; those that begin with # and a space are comments. */
function tokensOf(file: string, text: string): Token[] {
  const lines = text.replace(/^\uFEFF/, '').split('\n').map((line) => line.trim())
  const isContent = (line: string): boolean => line !== '' && !/^#(\s|$)/.test(line)
  const several = lines.filter(isContent).length > 1
  const tokens = lines.flatMap((line, index) => (isContent(line) ? [tokenOf(line, `--token-file ${file}${several ? `, line ${index + 1}` : ''}`)] : []))
  if (tokens.length === 0) throw new UsageError(`--token-file ${file} has no token: ${EXPECTED}`)
  requireDifferent(tokens, file)
  return tokens
}

function tokenOf(line: string, source: string): Token {
  const words = line.split(/\s+/)
  if (words.length === 1) return new Token(line, source)
  const [name, token] = words
  if (words.length > 2 || !isIdentityName(name)) throw new UsageError(`${source}: expected a token, or a name and a token with a space between them.`)
  return new Token(token, source, name)
}

/** @throws UsageError if two lines have the same token, so that it would not be clear whom it stands for */
function requireDifferent(tokens: readonly Token[], file: string): void {
  const names = new Map<string, string | undefined>()
  for (const { header, name } of tokens) {
    if (names.has(header)) throw new UsageError(`--token-file ${file}: ${names.get(header) ?? 'a line without a name'} and ${name ?? 'a line without a name'} have the same token: give each its own.`)
    names.set(header, name)
  }
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
