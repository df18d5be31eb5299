import type { Access } from './client_access.ts'

/**
 * Patterns of the library's messages for a connection that fails, each with the circumstances that it applies to and its meaning for people; the
 * first that fits counts.
 */
const meanings: [said: RegExp, when: 'tls' | 'certificate' | 'plain' | 'always', meaning: string][] = [
  [/ENOTFOUND|EAI_AGAIN|Name resolution failed/, 'always', 'the coordinator cannot be reached: its name is not known here'],
  [/ECONNREFUSED/, 'always', 'the coordinator cannot be reached: nothing listens there'],
  [/ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/, 'always', 'the coordinator cannot be reached: there is no answer, and perhaps a firewall on the way'],
  [/wrong version number|packet length too long/, 'tls', 'the coordinator does not use TLS, which --tls-ca asks for'],
  [/does not match certificate's altnames/, 'tls', "the coordinator's certificate is not for this address: make one with it in `herd certs --host`"],
  [/certificate has expired|certificate is not yet valid/, 'tls', "the coordinator's certificate is not valid now: make a new one with `herd certs`"],
  [/unable to verify|unable to get|self.signed/, 'tls', "the coordinator's certificate is not of the authority in --tls-ca"],
  [/unsuitable certificate purpose/, 'tls', 'the certificate that the coordinator shows is not one of a coordinator'],
  [/certificate required|handshake failure/, 'tls', 'the coordinator asks for a certificate: give --tls-cert and --tls-key'],
  [/unknown ca|bad certificate|certificate unknown|Failed to connect|ECONNRESET/, 'certificate', 'the coordinator closes the connection: the certificate in --tls-cert may be of another authority than it asks for'],
  [/Failed to connect|ECONNRESET|Protocol error/, 'plain', 'the coordinator closes the connection at once: if it uses TLS, give --tls-ca'],
]

/**
 * Describes why a coordinator cannot be reached, for people.
 * @param details the library's message
 */
export function whyUnreachable(details: string, { tls }: Access): string {
  const applies = { tls: tls !== undefined, certificate: tls?.identity !== undefined, plain: tls === undefined, always: true }
  return meanings.find(([said, when]) => applies[when] && said.test(details))?.[2] ?? 'the coordinator cannot be reached'
}
