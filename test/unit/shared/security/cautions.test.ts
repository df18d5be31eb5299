import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { cacheCaution, cautionsOf } from '../../../../shared/security/cautions.ts'
import { run } from '../../../support/processes.ts'

let folder: string
const at = (name: string): string => path.join(folder, name)

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'herd-cautions-'))
  assert.equal((await run('herd', ['certs', '--out', at('certs'), '--host', '127.0.0.1'])).code, 0)
  await writeFile(at('token'), 'a-token-of-thirty-two-characters', { mode: 0o600 })
})
after(() => rm(folder, { recursive: true, force: true }))

test('a secret that others can read is warned of, and one that is closed is not; what `herd certs` makes is closed', async () => {
  const files = { tokenFile: at('token'), tlsKey: at('certs/coordinator.key'), tlsCert: at('certs/coordinator.crt'), tlsCa: at('certs/ca.crt') }
  assert.deepEqual(await cautionsOf(files, new Date()), [`--tls-ca ${files.tlsCa}: the authority's key is on this machine (${at('certs/ca.key')}): whoever gets it can make certificates. Move it elsewhere, or delete it.`])
  await rm(at('certs/ca.key'))
  await chmod(at('token'), 0o640)
  assert.deepEqual(await cautionsOf(files, new Date()), [`--token-file ${at('token')} can be read by other users of this machine: chmod 600 keeps them out.`])
  await chmod(at('token'), 0o600)
  assert.deepEqual(await cautionsOf(files, new Date()), [])
  assert.deepEqual(await cautionsOf({ tokenFile: undefined, tlsKey: undefined, tlsCert: undefined, tlsCa: undefined }, new Date()), [])
})

test('a certificate that ends within a month is warned of', async () => {
  const tlsCert = at('certs/worker.crt')
  const { validTo } = new X509Certificate(await readFile(tlsCert))
  const days = (count: number): Date => new Date(new Date(validTo).getTime() - count * 86_400_000)
  const options = { tokenFile: undefined, tlsKey: undefined, tlsCert, tlsCa: undefined }
  assert.deepEqual(await cautionsOf(options, days(31)), [])
  assert.deepEqual(await cautionsOf(options, days(12)), [`--tls-cert ${tlsCert} is valid for 12 more days, until ${validTo}: from then on nobody can join, nor join again. Make a new one in time, e.g. with \`herd certs\`.`])
})

test('a cache folder into which other users can write is warned of', async () => {
  const cache = at('cache')
  assert.equal(await cacheCaution(cache), undefined, 'there is none yet')
  await mkdir(cache)
  assert.equal(await cacheCaution(cache), undefined)
  await chmod(cache, 0o777)
  assert.match(await cacheCaution(cache) ?? '', /^the cache folder \S+ can be written by other users of this machine/)
  await chmod(cache, 0o755)
  if (process.getuid?.() !== 0) return
  await chown(cache, 54321, 54321)
  assert.match(await cacheCaution(cache) ?? '', /^the cache folder \S+ belongs to other users of this machine/)
})
