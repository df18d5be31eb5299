import { createHash, randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Tokens } from '../shared/security/token.ts'

/** Access of a request: 'open' if there is no token, 'granted' if the request proves it, else 'token needed'. */
export type PageAccess = 'open' | 'granted' | 'token needed'

/** Time for which a browser stays logged in, unless so many others (MAX_SESSIONS) have logged in since. */
const SESSION_MS = 7 * 24 * 3600 * 1000
const MAX_SESSIONS = 256
/** Wrong tokens that an address may give one after the other: enough for somebody who mistypes. */
const MAX_FAILURES = 10
/**
 * Time after which an address may give another one: far too slow for guessing. It is short, since all who come by one tunnel or proxy have one address,
 * and a program among them that tries a wrong token again and again must not keep the others out.
 */
const FAILURE_MS = 1000
const MAX_ADDRESSES = 1000

/**
 * Decides who may look at the page. A browser gives the token once and gets a cookie with a random session id, which no
 * script can read; a program sends the token itself, as workers do.
 */
export class Gatekeeper {
  readonly #token: Pick<Tokens, 'holderOf'> | undefined
  readonly #secure: boolean
  readonly #now: () => number
  /**
   * Sessions by the hash of their id, so that the time of a look-up reveals nothing about other ids; oldest first. Each ends with the token that it
   * was begun with, whose header it keeps.
   */
  readonly #sessions = new Map<string, { until: number; header: string }>()
  /** Wrong tokens of addresses, less those that time has forgiven; the address whose last one is longest ago first. */
  readonly #failures = new Map<string, { count: number; at: number }>()
  /** Name of the cookie. It contains the port, since all ports of a host share their cookies, and another coordinator may have one of them. */
  #cookie = ''

  /**
   * @param token undefined if everybody may look.
   * @param secure true if the page is served over TLS.
   * @param now milliseconds, on a clock that only goes forward.
   */
  constructor(token: Pick<Tokens, 'holderOf'> | undefined, secure: boolean, now: () => number) {
    this.#token = token
    this.#secure = secure
    this.#now = now
  }

  /** Sets the name of the cookie, before the first login. @param port on which the server listens. */
  nameCookie(port: number): void {
    this.#cookie = `${this.#secure ? '__Host-' : ''}herd-${port}`
  }

  accessOf(request: IncomingMessage): PageAccess {
    if (this.#token === undefined) return 'open'
    return this.#hasSession(request) || this.#presentsToken(request) ? 'granted' : 'token needed'
  }

  admits(request: IncomingMessage): boolean {
    return this.accessOf(request) !== 'token needed'
  }

  /** True if the request's address has given so many wrong tokens that no token of it is checked within this second. */
  mustWait(request: IncomingMessage): boolean {
    return this.#failuresOf(addressOf(request)) > MAX_FAILURES - 1
  }

  /** Checks a token, and begins a session if it is right. @returns the header `set-cookie`; undefined for a wrong token. */
  login(request: IncomingMessage, token: string): string | undefined {
    const header = `Bearer ${token}`
    if (!this.#check(request, header)) return undefined
    const id = randomBytes(32).toString('base64url')
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size < MAX_SESSIONS) break
      this.#sessions.delete(oldest)
    }
    this.#sessions.set(hashOf(id), { until: this.#now() + SESSION_MS, header })
    return `${this.#cookie}=${id}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${SESSION_MS / 1000}${this.#secure ? '; Secure' : ''}`
  }

  #hasSession(request: IncomingMessage): boolean {
    const pairs = (request.headers.cookie ?? '').split(';').map((pair) => pair.trim())
    const prefix = `${this.#cookie}=`
    return pairs.some((pair) => {
      if (!pair.startsWith(prefix)) return false
      const session = this.#sessions.get(hashOf(pair.slice(prefix.length)))
      return session !== undefined && this.#now() < session.until && this.#isRight(session.header)
    })
  }

  #presentsToken(request: IncomingMessage): boolean {
    const { authorization } = request.headers
    return authorization !== undefined && this.#check(request, authorization)
  }

  #check(request: IncomingMessage, header: string): boolean {
    if (this.mustWait(request)) return false
    const right = this.#isRight(header)
    if (!right) this.#noteFailure(addressOf(request))
    return right
  }

  #isRight(header: string): boolean {
    return this.#token?.holderOf(header) !== undefined
  }

  #failuresOf(address: string): number {
    const failures = this.#failures.get(address)
    return failures === undefined ? 0 : Math.max(0, failures.count - (this.#now() - failures.at) / FAILURE_MS)
  }

  #noteFailure(address: string): void {
    const failures = { count: this.#failuresOf(address) + 1, at: this.#now() }
    this.#failures.delete(address)
    for (const oldest of this.#failures.keys()) {
      if (this.#failures.size < MAX_ADDRESSES) break
      this.#failures.delete(oldest)
    }
    this.#failures.set(address, failures)
  }
}

function addressOf(request: IncomingMessage): string {
  return request.socket.remoteAddress ?? ''
}

function hashOf(id: string): string {
  return createHash('sha256').update(id).digest('base64')
}
