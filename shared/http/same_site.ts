import type { IncomingMessage } from 'node:http'
import { isLoopback } from '../security/loopback.ts'

/** Form of the header Host: host and port, without a user. Names of services in Compose files may have underscores. */
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i

/**
 * Checks that a request does not come from a page of another site: such a page, open in a browser that reaches this machine,
 * could otherwise look at the run on behalf of somebody who does not reach it.
 * @param onLoopback true if only this machine reaches the server. Then the server has no other name: a foreign name that
 *   was made to resolve to 127.0.0.1 (DNS rebinding) shows in the header Host.
 * @returns undefined if the request may be answered; else a sentence that says why not.
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

/** True for requests that need a check of their origin: WebSockets connect across origins, and forms post; answers to GET cannot be read by other origins. */
function changesOrConnects({ method, headers }: IncomingMessage): boolean {
  return headers.upgrade !== undefined || (method !== 'GET' && method !== 'HEAD')
}

/** The host as URL writes it: in lower case, without the default port of the origin's scheme. */
function withoutDefaultPort(host: string, origin: string): string | undefined {
  const url = `${new URL(origin).protocol}//${host}`
  return URL.canParse(url) ? new URL(url).host : undefined
}
