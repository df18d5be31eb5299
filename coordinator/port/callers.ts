import { X509Certificate } from 'node:crypto'
import type { AuthContext } from '@grpc/grpc-js/build/src/auth-context.js'
import type { Metadata } from '@grpc/grpc-js'
import { nameInCertificate } from '../../shared/security/identity.ts'
import type { Holder, Tokens } from '../../shared/security/token.ts'
import type { Identity } from '../contract/member.ts'
import type { Access } from './access.ts'

/** A call as far as it tells who calls. */
export interface Calling {
  getAuthContext(): AuthContext
}

/** Finds out who calls, by the certificate of the connection and the token of the call. */
export class Callers {
  readonly #tokens: Tokens | undefined
  readonly #asksForCertificates: boolean
  /** This process's own certificate, which it lends to the workers that it starts: it names none of them. */
  readonly #own: Buffer | undefined

  constructor({ token, ownToken, tls }: Pick<Access, 'token' | 'ownToken' | 'tls'>) {
    this.#tokens = token ?? ownToken
    this.#asksForCertificates = tls?.ca !== undefined
    this.#own = tls?.identity === undefined ? undefined : new X509Certificate(tls.identity.cert).raw
  }

  /** Returns who has the token of a call; undefined if it has none that is right. */
  holderOf(metadata: Metadata): Holder | undefined {
    const [presented] = metadata.get('authorization')
    return typeof presented === 'string' ? this.#tokens?.holderOf(presented) : undefined
  }

  /** Returns whom a caller has proved to be; undefined if it has a certificate or token that others have too, or neither. */
  provenBy(call: Calling, metadata: Metadata): Identity | undefined {
    const certified = this.#certified(call)
    if (certified !== undefined) return { identity: certified, identityBy: 'certificate' }
    const name = this.holderOf(metadata)?.name
    return name === undefined ? undefined : { identity: name, identityBy: 'token' }
  }

  #certified(call: Calling): string | undefined {
    const raw = this.#asksForCertificates ? call.getAuthContext().sslPeerCertificate?.raw : undefined
    return raw === undefined || this.#own?.equals(raw) === true ? undefined : nameInCertificate(new X509Certificate(raw))
  }
}
