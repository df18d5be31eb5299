import { UsageError } from '../shared/kit/errors.ts'
import { isLoopback } from '../shared/security/loopback.ts'
import type { TlsFiles } from '../shared/security/tls.ts'
import type { Token } from '../shared/security/token.ts'

/** How the live page is to be served, as options have it. */
export interface PageAccess {
  httpHost: string
  token: Token | undefined
  tls: TlsFiles | undefined
  insecure: boolean
}

/**
 * @returns a warning, where others could listen in or look on
 * @throws UsageError where anybody could look on from another machine, and --insecure does not say so.
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
