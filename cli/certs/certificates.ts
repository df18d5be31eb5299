// @peculiar/x509 finds its algorithms through metadata of its classes, and needs this polyfill loaded first.
import 'reflect-metadata'
import { createHash, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const DAY_MS = 24 * 60 * 60 * 1000
/** Time before now at which certificates become valid, since the clocks of a cluster's machines differ. */
const EARLIER_MS = 60 * 60 * 1000
/** The coordinator's own machine is always among the hosts, for its local workers. */
const LOCAL_HOSTS = ['localhost', '127.0.0.1', '::1']

export interface CertificateSet {
  validFrom: Date
  validTo: Date
  /** PEM by file name; those that end in .key are secret. */
  files: ReadonlyMap<string, string>
  /** Names and addresses in the coordinator's certificate. */
  hosts: string[]
}

interface Authority {
  certificate: x509.X509Certificate
  keys: webcrypto.CryptoKeyPair
}

/**
 * Makes the files for mutual TLS in a cluster: a certificate authority, a certificate for the coordinator, and one for all workers.
 * @param hosts DNS names and IP addresses by which workers reach the coordinator.
 * @param days validity of all certificates, from `now` on.
 */
export async function makeCertificates(hosts: readonly string[], days: number, now: Date): Promise<CertificateSet> {
  const validFrom = new Date(now.getTime() - EARLIER_MS)
  const validTo = new Date(now.getTime() + days * DAY_MS)
  const all = [...new Set([...hosts, ...LOCAL_HOSTS])]
  const validity = { notBefore: validFrom, notAfter: validTo }
  const authority = await makeAuthority(validity)
  const names = new x509.SubjectAlternativeNameExtension(all.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })))
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage
  // The coordinator's local workers present its certificate.
  const coordinator = await issue(authority, 'herd coordinator', [names, new x509.ExtendedKeyUsageExtension([serverAuth, clientAuth])], validity)
  const worker = await issue(authority, 'herd worker', [new x509.ExtendedKeyUsageExtension([clientAuth])], validity)
  const files = new Map([
    ['ca.crt', authority.certificate.toString('pem')],
    ['ca.key', await privatePem(authority.keys)],
    ['coordinator.crt', coordinator.certificate.toString('pem')],
    ['coordinator.key', await privatePem(coordinator.keys)],
    ['worker.crt', worker.certificate.toString('pem')],
    ['worker.key', await privatePem(worker.keys)],
  ])
  return { validFrom, validTo, files: new Map([...files].map(([name, pem]) => [name, `${pem.trimEnd()}\n`])), hosts: all }
}

interface Validity {
  notBefore: Date
  notAfter: Date
}

async function makeAuthority(validity: Validity): Promise<Authority> {
  const keys = await makeKeys()
  // Each authority has a name of its own, since OpenSSL looks issuers up by name.
  const number = createHash('sha256').update(Buffer.from(await webcrypto.subtle.exportKey('spki', keys.publicKey))).digest('hex').slice(0, 8)
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=herd cluster ${number}`,
    keys,
    signingAlgorithm: ALGORITHM,
    ...validity,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificate, keys }
}

async function issue(authority: Authority, name: string, extensions: x509.Extension[], validity: Validity): Promise<Authority> {
  const keys = await makeKeys()
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: authority.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    ...validity,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      await x509.AuthorityKeyIdentifierExtension.create(authority.keys.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ...extensions,
    ],
  })
  return { certificate, keys }
}

function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
}

async function privatePem({ privateKey }: webcrypto.CryptoKeyPair): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY')
}
