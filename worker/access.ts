import { isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import { credentials, InterceptingCall, type ChannelCredentials, type ChannelOptions, type Interceptor } from '@grpc/grpc-js'
import { parseAddress } from '../shared/command/options.ts'
import { UsageError } from '../shared/errors.ts'
import { readTls, type TlsFiles } from '../shared/security/tls.ts'
import { takeToken, type Token } from '../shared/security/token.ts'
import type { WorkerOptions } from './options.ts'

/** What a worker shows a coordinator, and how it knows that it is the right one. */
export interface Access {
  token: Token | undefined
  tls: TlsFiles | undefined
}

/**
 * Reads token and certificates.
 * @param environment its HERD_TOKEN is taken out.
 * @throws UsageError where a file does not fit.
 */
export async function readAccess(options: WorkerOptions, environment: NodeJS.ProcessEnv, now: Date): Promise<Access> {
  if (options.tlsCert !== undefined && options.tlsCa === undefined) {
    throw new UsageError(`--tls-cert ${options.tlsCert} needs --tls-ca, the authority by which the worker knows the coordinator.`)
  }
  return { token: await takeToken(environment, options.tokenFile), tls: await readTls(options, now) }
}

/** How a channel to this address is secured. */
export function secureChannel({ tls }: Access, address: string): { credentials: ChannelCredentials; options: ChannelOptions } {
  if (tls === undefined) return { credentials: credentials.createInsecure(), options: {} }
  const host = parseAddress(address)?.host ?? address
  const secured = credentials.createSsl(tls.ca ?? null, tls.identity?.key ?? null, tls.identity?.cert ?? null, {
    checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
  })
  // TLS lets a client name hosts, but not addresses; the certificate is checked for the address all the same, just above.
  return { credentials: secured, options: isIP(host) === 0 ? {} : { 'grpc.ssl_target_name_override': 'coordinator' } }
}

/** Presents the token with every call. */
export function presenting({ token }: Access): Interceptor[] {
  if (token === undefined) return []
  return [
    (options, next) =>
      new InterceptingCall(next(options), {
        start: (metadata, listener, start) => {
          metadata.set('authorization', token.header)
          start(metadata, listener)
        },
      }),
  ]
}
