import type { IncomingMessage } from 'node:http'
import { isLoopback } from '../shared/security/loopback.ts'

/** Cannot end in a dot, have a user, or be anything but host and port. */
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?$/i

/**
 * Why a browser must not be answered: a page of somebody else's that is open in it could otherwise look at the run, since
 * the browser, unlike that somebody, reaches this machine.
 * @param onLoopback whether only this machine reaches the server. Then it is known by no other name: a name that somebody
 *   has made mean 127.0.0.1 (DNS rebinding) shows in the header Host.
 * @returns undefined where all is well; else a sentence.
 */
export function whyForeign(request: IncomingMessage, onLoopback: boolean): string | undefined {
  const host = request.headers.host ?? ''
  const [, name] = HOST.exec(host) ?? []
  if (name === undefined) return 'The header Host is missing, or is none.'
  if (onLoopback && !isLoopback(name.toLowerCase().replace(/^\[|\]$/g, ''))) return `This page is served on this machine only: open it as localhost or 127.0.0.1, not as ${name}.`
  const { origin } = request.headers
  if (origin === undefined || !changesOrConnects(request)) return undefined
  return URL.canParse(origin) && new URL(origin).host === withoutDefaultPort(host, origin) ? undefined : 'This comes from a page of another origin.'
}

/** WebSockets connect across origins, and forms post; what is merely got, other origins cannot read. */
function changesOrConnects({ method, headers }: IncomingMessage): boolean {
  return headers.upgrade !== undefined || (method !== 'GET' && method !== 'HEAD')
}

/** As URL writes a host: small letters, without the port that its scheme has anyway. */
function withoutDefaultPort(host: string, origin: string): string | undefined {
  const url = `${new URL(origin).protocol}//${host}`
  return URL.canParse(url) ? new URL(url).host : undefined
}
