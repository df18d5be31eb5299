import { Metadata, ServerCredentials, ServerInterceptingCall, status, type ServerInterceptor } from '@grpc/grpc-js'
import type { TlsFiles } from '../../shared/security/tls.ts'
import type { Access } from './access.ts'
import type { Callers } from './callers.ts'

/** Call by which a run is watched, which is open to whoever reaches a run without a token of its user's. */
const WATCH = /\/Watch$/

/** Ends a call of somebody who may not take part. */
type End = (reason: string) => void

/** Rejects calls that do not present the token, and those of identities that may not take part, before their content is read. */
export class Gate {
  readonly #access: Access
  readonly #callers: Callers
  /** Open calls of proven identities, as long as there is a list of those who may not take part. */
  readonly #open = new Map<End, string>()

  constructor(access: Access, callers: Callers) {
    this.#access = access
    this.#callers = callers
  }

  /** Ends the open calls of identities that may no longer take part. To be called now and then. */
  endDenied(): void {
    for (const [end, identity] of this.#open) {
      const reason = this.#access.deny?.refusalOf(identity)
      if (reason !== undefined) end(reason)
    }
  }

  readonly interceptor: ServerInterceptor = ({ path }, call) => {
    const { deny } = this.#access
    const end: End = (reason) => {
      this.#open.delete(end)
      call.sendStatus({ code: status.PERMISSION_DENIED, details: reason, metadata: new Metadata() })
    }
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, admit) => {
            const problem = this.#tokenProblem(path, metadata)
            if (problem !== undefined) return call.sendStatus({ code: status.UNAUTHENTICATED, details: problem, metadata: new Metadata() })
            const proven = deny === undefined ? undefined : this.#callers.provenBy(call, metadata)
            const refusal = proven === undefined ? undefined : deny?.refusalOf(proven.identity)
            if (refusal !== undefined) return end(refusal)
            if (proven !== undefined) this.#open.set(end, proven.identity)
            return admit(metadata)
          },
          onCancel: () => this.#open.delete(end),
        }),
      sendStatus: (how, next) => {
        this.#open.delete(end)
        next(how)
      },
    })
  }

  /** Returns why a call's token does not do; undefined if it does. */
  #tokenProblem(path: string, metadata: Metadata): string | undefined {
    const { token, ownToken } = this.#access
    if ((token ?? ownToken) === undefined || this.#callers.holderOf(metadata) !== undefined) return undefined
    if (token === undefined) {
      return WATCH.test(path) ? undefined : 'this run starts its workers itself, with --local-workers: to let others in, give it a token by HERD_TOKEN or --token-file, and the same to them.'
    }
    return metadata.get('authorization').length === 0
      ? 'this coordinator asks for a token: give it by HERD_TOKEN or --token-file.'
      : 'the token is not that of this coordinator: HERD_TOKEN or --token-file must be the same on both sides.'
  }
}

/** Makes the credentials of a server: TLS if it has a certificate; with an authority too, clients must present a certificate of that. */
export function serverCredentials(tls: TlsFiles | undefined): ServerCredentials {
  if (tls?.identity === undefined) return ServerCredentials.createInsecure()
  return ServerCredentials.createSsl(tls.ca ?? null, [{ private_key: tls.identity.key, cert_chain: tls.identity.cert }], tls.ca !== undefined)
}
