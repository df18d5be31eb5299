// @peculiar/x509 finds its algorithms through metadata of its classes, and needs this polyfill loaded first.
import 'reflect-metadata'
import { createHash, createPrivateKey, webcrypto, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'
import { messageOf, RunError } from '../../shared/kit/errors.ts'
import { COMMON_NAMES } from '../../shared/security/identity.ts'

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
 * Makes the files for mutual TLS in a cluster: a certificate authority, a certificate for the coordinator, one that all workers can share, and one
 * for each worker that is named.
 * @param hosts DNS names and IP addresses by which workers reach the coordinator.
 * @param days validity of all certificates, from `now` on.
 * @param workers names of workers with a certificate of their own.
 */
export async function makeCertificates(hosts: readonly string[], days: number, now: Date, workers: readonly string[] = []): Promise<CertificateSet> {
  const validity = validityOf(days, now)
  const { notBefore: validFrom, notAfter: validTo } = validity
  const all = [...new Set([...hosts, ...LOCAL_HOSTS])]
  const authority = await makeAuthority(validity)
  const names = new x509.SubjectAlternativeNameExtension(all.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })))
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage
  // The coordinator's local workers present its certificate.
  const coordinator = await issue(authority, COMMON_NAMES.coordinator, [names, new x509.ExtendedKeyUsageExtension([serverAuth, clientAuth])], validity)
  const files = new Map([
    ...(await filesOf('ca', authority)), ...(await filesOf('coordinator', coordinator)), ...(await filesOf('worker', await issueToWorker(authority, COMMON_NAMES.worker, validity))),
    ...(await workerFiles(authority, workers, validity)),
  ])
  return { validFrom, validTo, files, hosts: all }
}

/**
 * Makes certificates of an authority that is there already, one for each worker that is named.
 * @param authority contents of ca.crt and ca.key
 * @param days validity, from `now` on, as far as that of the authority reaches
 * @throws RunError if the two do not belong together, or the authority is no longer valid
 */
export async function makeWorkerCertificates(authority: { certificate: string; key: string }, workers: readonly string[], days: number, now: Date): Promise<Omit<CertificateSet, 'hosts'>> {
  const opened = await openAuthority(authority)
  const { notBefore, notAfter } = opened.certificate
  if (now > notAfter) throw new RunError(`ca.crt has been invalid since ${notAfter.toISOString().slice(0, 10)}: make a new authority, with all that is of it, in another folder.`)
  const wanted = validityOf(days, now)
  const validity = { notBefore: new Date(Math.max(+wanted.notBefore, +notBefore)), notAfter: new Date(Math.min(+wanted.notAfter, +notAfter)) }
  return { validFrom: validity.notBefore, validTo: validity.notAfter, files: new Map(await workerFiles(opened, workers, validity)) }
}

interface Validity {
  notBefore: Date
  notAfter: Date
}

function validityOf(days: number, now: Date): Validity {
  return { notBefore: new Date(now.getTime() - EARLIER_MS), notAfter: new Date(now.getTime() + days * DAY_MS) }
}

async function workerFiles(authority: Authority, workers: readonly string[], validity: Validity): Promise<[string, string][]> {
  const files: [string, string][] = []
  for (const name of workers) files.push(...(await filesOf(name, await issueToWorker(authority, name, validity))))
  return files
}

/** Issues a certificate that cannot pass for a coordinator's. */
function issueToWorker(authority: Authority, name: string, validity: Validity): Promise<Authority> {
  return issue(authority, name, [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])], validity)
}

async function filesOf(name: string, { certificate, keys }: Authority): Promise<[string, string][]> {
  return [[`${name}.crt`, `${certificate.toString('pem').trimEnd()}\n`], [`${name}.key`, `${(await privatePem(keys)).trimEnd()}\n`]]
}

async function openAuthority({ certificate: pem, key }: { certificate: string; key: string }): Promise<Authority> {
  try {
    if (!new X509Certificate(pem).checkPrivateKey(createPrivateKey(key))) throw new RunError('they do not belong together')
    const [{ rawData: pkcs8 }] = x509.PemConverter.decodeWithHeaders(key)
    const certificate = new x509.X509Certificate(pem)
    const privateKey = await webcrypto.subtle.importKey('pkcs8', pkcs8, ALGORITHM, false, ['sign'])
    const publicKey = await webcrypto.subtle.importKey('spki', certificate.publicKey.rawData, ALGORITHM, true, ['verify'])
    return { certificate, keys: { privateKey, publicKey } }
  } catch (error) {
    throw new RunError(`ca.crt and ca.key are no authority that herd certs has made: ${messageOf(error)}.`, { cause: error })
  }
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
