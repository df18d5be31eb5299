import { Metadata, ServerCredentials, ServerInterceptingCall, status, type ServerInterceptor } from '@grpc/grpc-js'
import type { TlsFiles } from '../../shared/security/tls.ts'
import type { Token } from '../../shared/security/token.ts'

/** Call by which a run is watched, which is open to whoever reaches a run without a token of its user's. */
const WATCH = /\/Watch$/

/**
 * Rejects calls that do not present the token, before their content is read.
 * @param own true if only the processes that this one starts have the token: then whoever reaches the port may watch the run
 */
export function tokenGate(token: Token, own: boolean): ServerInterceptor {
  return ({ path }, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, admit) => {
            const [presented] = metadata.get('authorization')
            if ((own && WATCH.test(path)) || (typeof presented === 'string' && token.admits(presented))) return admit(metadata)
            const details = own
              ? 'this run starts its workers itself, with --local-workers: to let others in, give it a token by HERD_TOKEN or --token-file, and the same to them.'
              : presented === undefined
                ? 'this coordinator asks for a token: give it by HERD_TOKEN or --token-file.'
                : 'the token is not that of this coordinator: HERD_TOKEN or --token-file must be the same on both sides.'
            call.sendStatus({ code: status.UNAUTHENTICATED, details, metadata: new Metadata() })
          },
        }),
    })
}

/** Makes the credentials of a server: TLS if it has a certificate; with an authority too, clients must present a certificate of that. */
export function serverCredentials(tls: TlsFiles | undefined): ServerCredentials {
  if (tls?.identity === undefined) return ServerCredentials.createInsecure()
  return ServerCredentials.createSsl(tls.ca ?? null, [{ private_key: tls.identity.key, cert_chain: tls.identity.cert }], tls.ca !== undefined)
}
