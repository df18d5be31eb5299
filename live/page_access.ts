import { UsageError } from '../shared/kit/errors.ts'
import { isLoopback } from '../shared/security/loopback.ts'
import type { TlsFiles } from '../shared/security/tls.ts'
import type { Tokens } from '../shared/security/token.ts'

/** Options that decide who can reach the live page. */
export interface PageAccess {
  httpHost: string
  token: Pick<Tokens, 'holderOf'> | undefined
  tls: TlsFiles | undefined
  insecure: boolean
}

/** How the warnings name a page. */
export interface PageWords {
  /** Option that has the page's host. */
  option: string
  /** What whoever reaches the port could do, or can. */
  open: string
  /** What travels in the clear, besides the token. */
  sent: string
}

const LIVE_PAGE: PageWords = { option: '--http-host', open: 'look at the runs and their images', sent: 'what is looked at' }

/**
 * Checks that a page is not open to other machines by mistake.
 * @returns a warning if others could listen in or look at the page; undefined if not
 * @throws UsageError if anybody could look at the page from another machine, and --insecure does not allow it.
 */
export function checkViewers({ httpHost, token, tls, insecure }: PageAccess, { option, open, sent }: PageWords = LIVE_PAGE): string | undefined {
  if (isLoopback(httpHost)) return undefined
  if (token === undefined && !insecure) {
    throw new UsageError(`${option} ${httpHost}: whoever reaches the port could ${open}. Set a token (HERD_TOKEN or --token-file), or say --insecure in a network where everybody is trusted.`)
  }
  if (token === undefined) return `${option} ${httpHost} with --insecure: whoever reaches this port can ${open}.`
  if (tls?.identity === undefined) return `${option} ${httpHost} without TLS: the token, and ${sent}, travel in the clear. \`herd certs\` makes certificates.`
  return undefined
}
