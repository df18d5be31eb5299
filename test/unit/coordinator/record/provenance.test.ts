import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { test, type TestContext } from 'node:test'
import { ProvenanceRecord, type ProvenanceParts } from '../../../../coordinator/record/provenance.ts'
import { readVerifier } from '../../../../shared/audit/provenance.ts'
import { article } from '../../../../shared/recipe/presets.ts'
import { RunFolder } from '../../../../shared/run_folder/run_folder.ts'
import { temporaryFolder } from '../../shared/checkpoint/example.ts'

const recipe = { ...article, engine: 'wasm' } as const
const head = { step: 50, lines: 2, hash: 'a'.repeat(64) }
const input = { fingerprint: '0123', versions: 'sharp 1' }
const engine = { kind: 'wasm', mode: 'eager', version: '4.22.0', threads: 1, precision: 'f32', device: 'cpu' } as const

type Status = ReturnType<ProvenanceParts['status']>
const nobody: Status = { engine: undefined, fingerprints: {}, inputs: [] }

/** A process of a run that begins, or goes on, after some steps. */
async function begin(folder: RunFolder, step: number, status: Status, signer?: ProvenanceParts['sign']): Promise<{ record: ProvenanceRecord; told: string | undefined }> {
  const record = new ProvenanceRecord({ folder, recipe, datasetDigest: 'd'.repeat(64), sign: signer, status: () => status })
  return { record, told: await record.begin(step) }
}

async function newFolder(context: TestContext): Promise<RunFolder> {
  return RunFolder.create(`${await temporaryFolder(context)}/run`, () => new Date())
}

test('what computed for earlier processes of a run is named with what computes now; another run begins with nothing', async (context) => {
  const folder = await newFolder(context)
  const first = await begin(folder, 0, { engine, fingerprints: { ada: 'f1', bob: 'f1' }, inputs: [input] })
  await first.record.write(head)
  const noted = await folder.readProvenance()
  assert.deepEqual(noted?.fingerprints, { numerics: ['f1'], input: [input] })
  assert.deepEqual(noted.digests, head)
  assert.deepEqual(noted.engine, { kind: 'wasm', version: '4.22.0', device: 'cpu', wheels: null })
  assert.match(noted.herd.lock ?? '', /^[0-9a-f]{64}$/)

  const alone = await begin(folder, 50, nobody)
  await alone.record.write(head)
  assert.deepEqual(await folder.readProvenance(), noted, 'a process that nobody has joined changes nothing')
  const other = { ...input, versions: 'sharp 2' }
  const second = await begin(folder, 50, { engine, fingerprints: { ada: 'f2' }, inputs: [other, input] })
  assert.equal(second.told, undefined)
  await second.record.write(head)
  assert.deepEqual((await folder.readProvenance())?.fingerprints, { numerics: ['f1', 'f2'], input: [input, other] })
  const anew = await begin(folder, 0, nobody)
  await anew.record.write(undefined)
  assert.deepEqual((await folder.readProvenance())?.fingerprints, { numerics: [], input: [] })
})

test('a file that cannot be read is told of, and written anew', async (context) => {
  const folder = await newFolder(context)
  await writeFile(folder.provenanceFile, '{')
  const { record, told } = await begin(folder, 50, { ...nobody, fingerprints: { ada: 'f1' } })
  assert.match(told ?? '', /provenance\.json is not JSON.* It is written anew, and does not name what computed the steps before\.$/)
  await record.write(head)
  assert.deepEqual((await folder.readProvenance())?.fingerprints.numerics, ['f1'])
})

test('the signature is of the file as it is; a process without a key leaves none behind', async (context) => {
  const folder = await newFolder(context)
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const { record } = await begin(folder, 0, nobody, (bytes) => sign(null, bytes, privateKey))
  await record.write(head)
  const keyFile = `${folder.path}/public.pem`
  await writeFile(keyFile, publicKey.export({ type: 'spki', format: 'pem' }))
  const isSigned = await readVerifier('--signed-by', keyFile)
  const signature = await readFile(folder.signatureFile)
  assert.equal(signature.length, 64)
  assert.equal(isSigned(await readFile(folder.provenanceFile), signature), true)
  await appendFile(folder.provenanceFile, ' ')
  assert.equal(isSigned(await readFile(folder.provenanceFile), signature), false)
  await (await begin(folder, 50, nobody)).record.write(head)
  await assert.rejects(readFile(folder.signatureFile), { code: 'ENOENT' })
})
