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

/**
 * Checks that the live page is not open to other machines by mistake.
 * @returns a warning if others could listen in or look at the page; undefined if not
 * @throws UsageError if anybody could look at the page from another machine, and --insecure does not allow it.
 */
export function checkViewers({ httpHost, token, tls, insecure }: PageAccess): string | undefined {
  if (isLoopback(httpHost)) return undefined
  if (token === undefined && !insecure) {
    throw new UsageError(`--http-host ${httpHost}: whoever reaches the port could look at the runs and their images. Set a token (HERD_TOKEN or --token-file), or say --insecure in a network where everybody is trusted.`)
  }
  if (token === undefined) return `--http-host ${httpHost} with --insecure: whoever reaches this port can look at the runs.`
  if (tls?.identity === undefined) return `--http-host ${httpHost} without TLS: the token, and what is looked at, travel in the clear. \`herd certs\` makes certificates.`
  return undefined
}
