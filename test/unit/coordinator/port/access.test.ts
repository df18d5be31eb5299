import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { makeCertificates } from '../../../../cli/certs/certificates.ts'
import { readAccess } from '../../../../coordinator/port/access.ts'
import { coordinatorOptions, type CoordinatorOptions } from '../../../../coordinator/options.ts'
import { UsageError } from '../../../../shared/kit/errors.ts'

/** Tests of the addresses that may be listened on without protection, and of the messages about unfitting files. */
let folder: string
const now = new Date('2030-01-01T12:00:00Z')
const token = { HERD_TOKEN: 'correct-horse-battery-staple' }

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'herd-access-'))
  const { files } = await makeCertificates(['192.0.2.10'], 30, now)
  for (const [name, pem] of files) await writeFile(path.join(folder, name), pem)
  await writeFile(path.join(folder, 'nonsense'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
})
after(() => rm(folder, { recursive: true }))

const file = (name: string): string => path.join(folder, name)
const defaults = Object.fromEntries(Object.entries(coordinatorOptions).map(([key, { fallback }]) => [key, fallback])) as CoordinatorOptions
const beyond = { ...defaults, listen: '0.0.0.0:7070' }
const own = (): Pick<CoordinatorOptions, 'tlsCert' | 'tlsKey'> => ({ tlsCert: file('coordinator.crt'), tlsKey: file('coordinator.key') })

async function refused(options: CoordinatorOptions, message: RegExp, at = now): Promise<void> {
  await assert.rejects(readAccess(options, {}, at), (error: unknown) => {
    assert.ok(error instanceof UsageError, String(error))
    assert.match(error.message, message)
    assert.ok(error.message.split('\n').length <= 2)
    return true
  })
}

test('listening beyond this machine without token or mutual TLS is refused, and the message says what to do', async () => {
  for (const listen of ['0.0.0.0:7070', '[::]:7070', '192.0.2.10:7070', 'my-machine:7070']) {
    await refused({ ...defaults, listen }, /^--listen \S+: whoever reaches this port could join\. Set a token \(HERD_TOKEN or --token-file\)[^]*--tls-ca[^]*--insecure/)
  }
  await refused({ ...beyond, ...own() }, /whoever reaches this port could join/)
})

test('--insecure, a token or mutual TLS open it; what travels in the clear is warned of', async () => {
  assert.match((await readAccess({ ...beyond, insecure: true }, {}, now)).warning ?? '', /--insecure: whoever reaches this port can read the images and change the weights/)
  assert.match((await readAccess(beyond, { ...token }, now)).warning ?? '', /without TLS: token, images and weights travel in the clear/)
  assert.equal((await readAccess({ ...beyond, ...own() }, { ...token }, now)).warning, undefined)
  assert.equal((await readAccess({ ...beyond, ...own(), tlsCa: file('ca.crt') }, {}, now)).warning, undefined)
})

test('on loopback, and in one process, neither is needed', async () => {
  for (const listen of ['127.0.0.1:7070', '[::1]:0', 'localhost:7070']) assert.equal((await readAccess({ ...defaults, listen }, {}, now)).warning, undefined)
  assert.equal((await readAccess({ ...beyond, singleNode: true }, {}, now)).warning, undefined)
})

test('files that do not fit are named with their option', async () => {
  await refused({ ...defaults, tlsCert: file('coordinator.crt') }, /^--tls-cert .*coordinator\.crt needs --tls-key/)
  await refused({ ...defaults, tlsKey: file('coordinator.key') }, /^--tls-key .*coordinator\.key needs --tls-cert/)
  await refused({ ...defaults, ...own(), tlsKey: file('worker.key') }, /^--tls-key .*worker\.key is not the key of --tls-cert .*coordinator\.crt/)
  await refused({ ...defaults, ...own(), tlsKey: file('ca.crt') }, /^--tls-key .*ca\.crt: expected a private key in PEM/)
  await refused({ ...defaults, ...own(), tlsCert: file('coordinator.key') }, /^--tls-cert .*coordinator\.key: expected a certificate in PEM/)
  await refused({ ...defaults, ...own(), tlsCert: file('absent.crt') }, /^--tls-cert .*absent\.crt cannot be read/)
  await refused({ ...defaults, ...own(), tlsCa: file('nonsense') }, /^--tls-ca .*nonsense is no certificate/)
  await refused({ ...defaults, ...own() }, /^--tls-cert .*coordinator\.crt has been invalid since Jan 31 .*2030/, new Date('2030-03-01'))
  await refused({ ...defaults, ...own() }, /^--tls-cert .*coordinator\.crt is not valid before Jan {2}1 11:00:00 2030/, new Date('2029-12-31'))
})
