import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import sharp from 'sharp'
import type { Notices } from '../../cli/command.ts'
import { diffRuns } from '../../cli/verify/diff.ts'
import { verifyRun, type VerifyOptions, type Verdict } from '../../cli/verify/verify.ts'
import type { ChainLine, ChainLink } from '../../shared/audit/chain.ts'
import { openDataset, type Dataset } from '../../shared/data/dataset.ts'
import { UsageError } from '../../shared/kit/errors.ts'
import { createLog } from '../../shared/kit/log.ts'
import { Schedule } from '../../shared/lanes/sample_schedule.ts'
import { run } from '../support/processes.ts'
import { createWorkspace, drawAnimals, type Workspace } from '../support/workspace.ts'
import { herdIn } from './fixture.ts'
import { changeCheckpoint, digestOfNothing, emptied, forgeRun, linesOf, writeChain } from './forged_run.ts'

/**
 * Tests of `herd verify` on a run of two epochs, three steps each, of which every step is noted. Forged runs are made for real: their files agree
 * with each other, so that nothing but computing tells that they are forged.
 */
const BATCH = 10
const LANES = 4
const SEED = 3
let workspace: Workspace
let data: string
let dataset: Dataset
let honest: string
let herd: ReturnType<typeof herdIn>

const notices: Notices = { log: createLog({ quiet: true, verbose: false, logFormat: 'pretty' }), logFormat: 'pretty', progress: () => ({ update: () => undefined, pause: () => undefined, end: () => undefined }) }

function verify(folder: string, options: Partial<VerifyOptions> = {}): Promise<Verdict> {
  return verifyRun({ run: folder, data, init: undefined, selection: { share: 1 }, signedBy: undefined, force: false, gpu: undefined, ...options }, notices)
}

/** Checks that a run is found out, by one sentence. */
async function isFoundOut(folder: string, sentence: RegExp, options: Partial<VerifyOptions> = {}): Promise<void> {
  const verdict = await verify(folder, options)
  assert.equal(verdict.equal, false, verdict.sentence)
  assert.match(verdict.sentence, sentence)
  assert.match(verdict.sentence, /^[^\n]* is not what it claims to be: [^\n]*\.$/)
}

async function changeProvenance(folder: string, change: (text: string) => string): Promise<void> {
  const file = path.join(folder, 'provenance.json')
  await writeFile(file, change(await readFile(file, 'utf8')))
}

async function copyOf(name: string): Promise<string> {
  const folder = workspace.path(name)
  await cp(honest, folder, { recursive: true })
  return folder
}

before(async () => {
  workspace = await createWorkspace()
  Object.assign(process.env, workspace.environment)
  herd = herdIn(workspace)
  data = await drawAnimals(workspace.path('drawn'), 5)
  honest = workspace.path('honest')
  await promisify(execFile)('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', workspace.path('sign.pem')])
  await promisify(execFile)('openssl', ['pkey', '-in', workspace.path('sign.pem'), '-pubout', '-out', workspace.path('public.pem')])
  const trained = await run('coordinator', [
    '--single-node', '--data', data, '--out', honest, '--model', 'tiny', '--image-size', '32', '--engine', 'wasm', '--epochs', '2', '--batch', String(BATCH), '--lanes', String(LANES), '--seed', String(SEED),
    '--lr', '1e-2', '--test-fraction', '0.5', '--audit-every', '1', '--checkpoint-every', '1', '--sign', workspace.path('sign.pem'),
  ], workspace.environment)
  assert.equal(trained.code, 0, trained.stderr)
  dataset = (await openDataset(data, { testFraction: 0.5, cacheFolder: workspace.path('cache'), warn: () => undefined, onProgress: () => undefined })).dataset
})
after(() => workspace.remove())

test('an honest run is equal, all of it or in part; exit codes tell', async () => {
  const all = await herd(['verify', honest, '--signed-by', workspace.path('public.pem')])
  assert.equal(all.code, 0, all.stderr)
  assert.match(all.stdout, /honest is equal: 6 steps of 6 were replayed, and 6 noted steps of 6 and 2 checkpoints are what this machine computes; its digests are signed up to step 6\.\n$/)
  assert.match((await verify(honest, { selection: { first: 5, last: 5 } })).sentence, /: 2 steps of 6 were replayed, and 2 noted steps of 6 and 0 checkpoints/)
  assert.match((await verify(honest, { selection: { share: 0.01 } })).sentence, /: 3 steps of 6 were replayed, and 3 noted steps of 6 and 1 checkpoint /)
  assert.match((await verify(honest, { selection: { share: 0 } })).sentence, /is equal: the chain of its digests is whole up to step 6, and its checkpoints fit it; no step was replayed\./)
  const wrong = await herd(['verify', honest, '--share', '2%', '--steps', '1..2'])
  assert.equal(wrong.code, 2, wrong.stdout)
  assert.match(wrong.stderr, /--steps and --share exclude each other/)
  await assert.rejects(verify(honest, { selection: { first: 5, last: 9 } }), (error: unknown) => error instanceof UsageError && /--steps 5\.\.9: expected steps from 1 to 6/.test(error.message))
  await assert.rejects(verify(data), (error: unknown) => error instanceof UsageError && /has no run: expected the folder of a run/.test(error.message))
  await assert.rejects(verify(honest, { signedBy: data }), (error: unknown) => error instanceof UsageError && /--signed-by .* cannot be read/.test(error.message))
  await assert.rejects(verify(honest, { signedBy: path.join(honest, 'config.json') }), /--signed-by \S+: expected an Ed25519 key in PEM; `openssl pkey/)
})

test('a changed weight is found in its checkpoint, though checksum and chain agree', async () => {
  const change = (parameters: Float32Array): void => void (parameters[3] += 0.5)
  const plain = await copyOf('weight')
  await changeCheckpoint(plain, 1, change)
  await isFoundOut(plain, /: after step 3, in epoch-0001\.ckpt, parameter conv2d_1\/kernel, element 3, is \S+, where \S+ was computed here\.$/, { selection: { first: 5, last: 5 } })
  const unlike = /: its checkpoint epoch-0001\.ckpt does not have the weights that digests\.jsonl notes after step 3\.$/
  await isFoundOut(plain, unlike, { selection: { share: 0 } })
  await changeProvenance(plain, (text) => text.replace(/"numerics": \[[^\]]*\]/, '"numerics": ["0123456789abcdef"]'))
  await isFoundOut(plain, unlike)

  const forged = await copyOf('weight-in-chain')
  const weights = await changeCheckpoint(forged, 1, change)
  await writeChain(forged, (await linesOf(forged)).map((line) => ('step' in line && line.step === 3 ? { ...line, weights } : line)))
  await isFoundOut(forged, /: step 3: the gradient of every lane is the noted one, and the weights that follow from them are not: .*; in epoch-0001\.ckpt, parameter conv2d_1\/kernel, element 3, is /)
})

test('a changed image is found: by the digest of the images, or, where that was made right, in the first lane that it was in', async () => {
  const other = workspace.path('other')
  await cp(data, other, { recursive: true })
  const schedule = new Schedule({ seed: SEED, train: dataset.train, batch: BATCH, lanes: LANES })
  const [step, lane] = [2, 1]
  const changed = dataset.samples.path(schedule.lane(1, step - 1, lane)[0])
  await sharp({ create: { width: 60, height: 48, channels: 3, background: 'red' } }).toFormat('jpeg').toFile(path.join(other, changed))
  await isFoundOut(honest, /: the images in \S+ are not those that it names \(digest \w{12}\.\.\., and \w{12}\.\.\.\)/, { data: other })

  const forged = workspace.path('image')
  await forgeRun(honest, forged, { data: other })
  await isFoundOut(forged, /: step 2, lane 1: the gradient is not the noted one\.$/)
})

test('a skipped lane is found, with or without the digest that it should have had', async () => {
  const lane = (each: Parameters<typeof emptied>[0]): ReturnType<typeof emptied> => (each.step === 4 && each.lane === 2 ? emptied(each) : each)
  const plain = workspace.path('skipped')
  await forgeRun(honest, plain, { data, lane })
  const fifth = (await linesOf(plain))[5] as ChainLink
  assert.equal(fifth.lanes[2], digestOfNothing(await floatsOfNetwork()))
  await isFoundOut(plain, /: step 5, lane 2: the gradient is not the noted one\.$/)

  const forged = workspace.path('skipped-in-secret')
  const honestLines = await linesOf(honest)
  await forgeRun(honest, forged, { data, lane, noted: (step, lanes) => (step === 5 ? (honestLines[5] as ChainLink).lanes : lanes) })
  await isFoundOut(forged, /: step 5: the gradient of every lane is the noted one, and the weights that follow from them are not: a lane was left out or counted twice, the step was another one, or the weights were changed\.$/)
})

test('another seed is found, whether or not the first weights are claimed to be the right ones', async () => {
  const forged = workspace.path('seed')
  const weights = (await linesOf(honest))[0].weights
  await forgeRun(honest, forged, { data, recipe: { seed: SEED + 1 }, claims: (beginning) => ({ ...beginning, weights: '5'.repeat(64) }) })
  await isFoundOut(forged, /: the weights before its first step are not those of --seed 3 and --init pytorch: it was begun with another seed/)
  const [beginning, ...links] = await linesOf(forged)
  await writeChain(forged, [{ ...beginning, weights }, ...links])
  await isFoundOut(forged, /: step 1, lane 0 first \(4 of 4 lanes differ\): the gradient is not the noted one\.$/)
})

test('files that contradict each other, and signatures that are none, need no replay', async () => {
  const publicKey = workspace.path('public.pem')
  const changed = await copyOf('changed')
  const chain = path.join(changed, 'digests.jsonl')
  const text = await readFile(chain, 'utf8')
  await writeFile(chain, text.replace(/"seed":3/, '"seed":4'))
  await isFoundOut(changed, /digests\.jsonl, line 2, does not follow on the line before it/, { selection: { share: 0 } })
  await writeFile(chain, text.split('\n').slice(0, 4).join('\n').concat('\n'))
  await isFoundOut(changed, /: digests\.jsonl is not the chain that provenance\.json stands for/)

  const unsigned = await copyOf('unsigned')
  await writeChain(unsigned, await linesOf(unsigned))
  await isFoundOut(unsigned, /: it is not signed: there is no provenance\.json\.sig\.$/, { signedBy: publicKey })
  await cp(path.join(honest, 'provenance.json.sig'), path.join(unsigned, 'provenance.json.sig'))
  await cp(path.join(honest, 'provenance.json'), path.join(unsigned, 'provenance.json'))
  await changeProvenance(unsigned, (text) => text.replace('"node": "v', '"node": "w'))
  await isFoundOut(unsigned, /: provenance\.json is not signed with the key of \S+public\.pem, or was changed since\.$/, { signedBy: publicKey })
  const otherKey = workspace.path('other.pem')
  await writeFile(otherKey, generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }))
  await isFoundOut(honest, /: provenance\.json is not signed with the key of \S+other\.pem, or was changed since\.$/, { signedBy: otherKey })

  const none = await copyOf('none')
  await rm(path.join(none, 'digests.jsonl'))
  await assert.rejects(verify(none), /none has no digests\.jsonl: it was trained with --audit-every 0/)
})

test('moments of a checkpoint that were changed are found at its end, and named where it is begun with', async () => {
  const moments = await copyOf('moments')
  await changeCheckpoint(moments, 1, (_parameters, [first]) => void (first[5] += 0.5))
  await isFoundOut(moments, /: after step 3, in epoch-0001\.ckpt, \w+ of parameter conv2d_1\/kernel, element 5, is /)
  await isFoundOut(moments, /: step 4: the gradient of every lane is the noted one, and .* not: .*, or epoch-0001\.ckpt, from which it was replayed, has other moments\.$/, { selection: { first: 5, last: 5 } })
})

test('steps that are not noted are replayed up to one that is, or to a checkpoint', async () => {
  const sparse = await copyOf('sparse')
  await writeChain(sparse, (await linesOf(sparse)).filter((line) => 'recipe' in line || line.step % 3 === 0).map((line) => ('recipe' in line ? { ...line, every: 3 } : line)))
  assert.match((await verify(sparse, { selection: { first: 4, last: 4 } })).sentence, /: 3 steps of 6 were replayed, and 1 noted step of 2 and \d checkpoints? /)

  const crashed = await copyOf('crashed')
  await Promise.all(['provenance.json', 'summary.json'].map((name) => rm(path.join(crashed, name))))
  await writeFile(path.join(crashed, 'digests.jsonl'), (await readFile(path.join(crashed, 'digests.jsonl'), 'utf8')).split('\n').slice(0, 5).join('\n'))
  assert.match((await verify(crashed)).sentence, /: 6 steps of 6 were replayed, and 3 noted steps of 3 and \d checkpoints /)

  const other = await copyOf('went-on')
  const [beginning, ...links] = await linesOf(other)
  await writeChain(other, [{ ...beginning, from: 3, weights: links[2].weights }, ...links.slice(3)])
  assert.match((await verify(other)).sentence, /: 3 steps of 6 were replayed, and 3 noted steps of 3 and \d checkpoints? /)
  await assert.rejects(verify(other, { selection: { first: 3, last: 4 } }), /--steps 3\.\.4: expected steps from 4 to 6, the steps that can be replayed/)
  await writeChain(other, [{ ...beginning, from: 3, weights: 'e'.repeat(64) }, ...links.slice(3)])
  await isFoundOut(other, /: its checkpoint epoch-0001\.ckpt does not have the weights that digests\.jsonl notes after step 3\.$/)
  await rm(path.join(other, 'checkpoints'), { recursive: true })
  await assert.rejects(verify(other), /checkpoints has no checkpoint from which steps could be replayed: the run went on at step 3 from a checkpoint of another folder/)
  assert.equal((await verify(other, { selection: { share: 0 } })).equal, true)
})

test('on a machine that computes other bits nothing is said, unless it is forced', async () => {
  const elsewhere = await copyOf('elsewhere')
  await changeProvenance(elsewhere, (text) => text.replace(/"numerics": \[[^\]]*\]/, '"numerics": ["0123456789abcdef"]'))
  await assert.rejects(verify(elsewhere), /this machine computes other bits than those that the run was computed on \(numerics fingerprints \w+, and 0123456789abcdef\), so that a difference would prove nothing: .*--force/)
  assert.equal((await verify(elsewhere, { force: true })).equal, true)
})

test('herd diff says in what two runs differ, and where their digests part', async () => {
  const [image, skipped, seed] = ['image', 'skipped', 'seed'].map((name) => workspace.path(name))
  const same = await copyOf('same')
  assert.deepEqual(await diffRuns(honest, same), { equal: true, sentences: [`${honest} and ${same} are equal as far as both go: up to step 6, by all weights and lanes that both have noted.`] })
  assert.match((await diffRuns(honest, skipped)).sentences.join('\n'), /^\S+ and \S+ part at step 5: lane 2\.$/)

  const other = await herd(['diff', honest, image])
  assert.equal(other.code, 3, other.stderr)
  assert.match(other.stdout, /^\S+ and \S+ part at step 2: lane 1\.\n$/)

  await writeChain(seed, (await linesOf(seed)).map((line) => ('recipe' in line ? { ...line, datasetDigest: 'e'.repeat(64), recipe: { ...line.recipe, seed: SEED + 1, augmentation: (line.recipe['augmentation'] as object[]).toSpliced(1, 1) } } : line)))
  await changeProvenance(seed, (text) => text.replace(/"node": "[^"]*"/, '"node": "v0"'))
  const { equal, sentences } = await diffRuns(honest, seed)
  assert.equal(equal, false)
  const expected = [/^configuration: --augmentation \.\.\.\{"name":"rotate","degrees":40\},\{.*\.\.\. in \S+, --augmentation \.\.\.\{"name":"resize","shortSide":.*\.\.\. in \S+\.$/, /^configuration: --seed 3 in \S+, --seed 4 in \S+\.$/, /^data: .* \(digests \w{12}\.\.\. and eeeeeeeeeeee\.\.\.\)\.$/, /^machine: Node\.js v\S+ in \S+, v0 in \S+\.$/, / part at step 1: lane 0 first \(4 of 4 lanes differ\)\.$/]
  assert.equal(sentences.length, expected.length, sentences.join('\n'))
  expected.forEach((pattern, index) => assert.match(sentences[index], pattern))
})

test('runs that noted other steps are compared where both have; with none in common, that is said', async () => {
  const sparse = await copyOf('other-steps')
  const [beginning, ...links] = await linesOf(sparse)
  await writeChain(sparse, [{ ...beginning, every: 2 } as ChainLine, ...links.filter((line) => 'step' in line && [2, 3, 4, 6].includes(line.step))])
  assert.equal((await diffRuns(honest, sparse)).equal, true)
  assert.match((await diffRuns(sparse, workspace.path('skipped'))).sentences[0], / part in one of the steps 5 to 6, of which both have noted the last alone: there, lane 0 first/)
  const short = await copyOf('short')
  await writeChain(short, [{ ...beginning, every: 2 } as ChainLine])
  await assert.rejects(diffRuns(honest, short), /have no step that both have noted: --audit-every 1 and 2, up to steps 6 and 0/)
})

async function floatsOfNetwork(): Promise<number> {
  const { loadCheckpoint } = await import('../../shared/checkpoint/checkpoint.ts')
  return (await loadCheckpoint(path.join(honest, 'checkpoints', 'latest.ckpt'))).parameters.length
}
