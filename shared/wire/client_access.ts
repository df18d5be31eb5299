import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import { credentials, InterceptingCall, type ChannelCredentials, type ChannelOptions, type Interceptor } from '@grpc/grpc-js'
import { parseAddress, text, type OptionValues } from '../command/options.ts'
import { UsageError } from '../kit/errors.ts'
import { nameInCertificate } from '../security/identity.ts'
import { isLoopback } from '../security/loopback.ts'
import { readTls, type TlsFiles } from '../security/tls.ts'
import { takeToken, type Tokens } from '../security/token.ts'

/** Options by which a client proves its identity to a coordinator. */
export const accessOptions = {
  tokenFile: text('<file>', "File with the cluster's token; the environment variable HERD_TOKEN can have the token itself."),
  tlsCa: text('<file>', "Authority of the coordinator's certificate, PEM: connect by TLS."),
  tlsCert: text('<file>', 'A certificate to show to a coordinator that asks for one, PEM.'),
  tlsKey: text('<file>', 'The key of --tls-cert, PEM.'),
} as const

/** The credentials that a client shows to a coordinator, and the certificates by which it recognises the right coordinator. */
export interface Access {
  token: Tokens | undefined
  tls: TlsFiles | undefined
}

/**
 * Reads the token and the certificates.
 * @param environment its variable HERD_TOKEN is deleted
 * @param now current time, to check the certificates' validity
 * @throws UsageError if the token or a file cannot be used
 */
export async function readAccess(options: OptionValues<typeof accessOptions>, environment: NodeJS.ProcessEnv, now: Date): Promise<Access> {
  if (options.tlsCert !== undefined && options.tlsCa === undefined) {
    throw new UsageError(`--tls-cert ${options.tlsCert} needs --tls-ca, the authority by which the coordinator is known.`)
  }
  return { token: await takeToken(environment, options.tokenFile), tls: await readTls(options, now) }
}

/** Returns whom the certificate names that a client shows; undefined if it has none, or one that names nobody. */
export function nameOf({ tls }: Access): string | undefined {
  return tls?.identity === undefined ? undefined : nameInCertificate(new X509Certificate(tls.identity.cert))
}

/** Returns a warning for the user if the token would be sent in the clear to a coordinator beyond this machine; otherwise undefined. */
export function clearTokenWarning({ token, tls }: Access, coordinator: string): string | undefined {
  if (token === undefined || tls !== undefined || isLoopback(parseAddress(coordinator)?.host ?? '')) return undefined
  return `--coordinator ${coordinator} without --tls-ca: the token goes in the clear to whatever answers there, and so do images and weights. \`herd certs\` makes certificates.`
}

/** Returns the credentials and options that secure a channel to this address. */
export function secureChannel({ tls }: Access, address: string): { credentials: ChannelCredentials; options: ChannelOptions } {
  if (tls === undefined) return { credentials: credentials.createInsecure(), options: {} }
  const host = parseAddress(address)?.host ?? address
  const secured = credentials.createSsl(tls.ca ?? null, tls.identity?.key ?? null, tls.identity?.cert ?? null, {
    checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
  })
  // TLS lets a client name hosts, but not addresses. The certificate is checked for the address all the same, by checkServerIdentity above.
  return { credentials: secured, options: isIP(host) === 0 ? {} : { 'grpc.ssl_target_name_override': 'coordinator' } }
}

/** Makes interceptors that present the token with every call; none without a token. */
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
