import assert from 'node:assert/strict'
import { cp, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { bestEpoch } from '../../coordinator/contract/best_epoch.ts'
import { loadCheckpoint } from '../../shared/checkpoint/checkpoint.ts'
import { provenanceSchema } from '../../shared/audit/provenance.ts'
import { Program, run, type Ended } from '../support/processes.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'
import { recipeSchema } from '../../shared/recipe/recipe.ts'

let workspace: Workspace
let data: string
let whole: string
const training = ['--model', 'tiny', '--image-size', '48', '--batch', '16', '--test-fraction', '0.5', '--engine', 'wasm', '--seed', '3', '--checkpoint-every', '2', '--audit-every', '2']

function arguments_(out: string, ...options: string[]): string[] {
  return ['--data', data, '--out', out, ...training, '--single-node', ...options]
}

/** Trains to the end. Only the run that is looked at draws pictures. */
function train(out: string, ...options: string[]): Promise<Ended> {
  return run('coordinator', arguments_(out, ...options), { ...workspace.environment, HERD_PICTURES: out === whole ? 'on' : 'off' })
}

async function historyOf(out: string): Promise<{ epoch: number; testAccuracy: number; seconds: number; imagesPerSecond: number }[]> {
  const lines = (await readFile(path.join(out, 'history.jsonl'), 'utf8')).trim().split('\n')
  return lines.map((line) => JSON.parse(line) as { epoch: number; testAccuracy: number; seconds: number; imagesPerSecond: number })
}

/** The history of a run without measured times. */
async function resultsOf(out: string): Promise<object[]> {
  return (await historyOf(out)).map((line) => ({ ...line, seconds: 0, imagesPerSecond: 0 }))
}

const chainOf = (out: string): Promise<string> => readFile(path.join(out, 'digests.jsonl'), 'utf8')

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 12)
  whole = workspace.path('whole')
  assert.equal((await train(whole, '--epochs', '5')).code, 0)
})
after(() => workspace.remove())

test('a run that is stopped in mid-epoch and resumed ends with the digest and the history of an uninterrupted one', async () => {
  const out = workspace.path('stopped')
  const first = new Program('coordinator', arguments_(out, '--epochs', '5', '--metrics-port', '0'), workspace.environment)
  await first.said(/epoch 2\/5/)
  const stopped = await first.stop('SIGTERM')
  assert.equal(stopped.code, 143, stopped.stderr)
  assert.match(stopped.stdout, /Go on with: npx coordinator --resume latest --out/)

  const resumed = await train(out, '--epochs', '5', '--resume', 'latest')
  assert.equal(resumed.code, 0, resumed.stderr)
  const summary = await summaryOf(out)
  assert.equal(summary.digest, (await summaryOf(whole)).digest)
  assert.equal(summary.restarts, 1)
  assert.equal(await chainOf(out), await chainOf(whole), 'the chain of digests is that of the undisturbed run, line by line')
  assert.deepEqual(await resultsOf(out), await resultsOf(whole))
})

test('a run goes on from any kept checkpoint in a new folder, on a cluster, and longer than it was begun for', async () => {
  const out = workspace.path('from-file')
  const resumed = await run(
    'coordinator',
    ['--data', data, '--out', out, '--listen', '127.0.0.1:0', '--local-workers', '2', '--epochs', '5', '--resume', path.join(whole, 'checkpoints/epoch-0002.ckpt')],
    workspace.environment,
  )
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.equal((await summaryOf(out)).digest, (await summaryOf(whole)).digest)
  assert.deepEqual((await historyOf(out)).map((line) => line.epoch), [3, 4, 5])
  const best = bestEpoch(new Map((await historyOf(whole)).map(({ epoch, testAccuracy }) => [epoch, testAccuracy])))
  assert.equal((await loadCheckpoint(path.join(whole, 'checkpoints/best.ckpt'))).position.epoch, best)

  const longer = workspace.path('longer')
  assert.equal((await train(longer, '--epochs', '3')).code, 0)
  assert.equal((await train(longer, '--epochs', '5', '--resume', 'latest')).code, 0)
  assert.equal((await summaryOf(longer)).digest, (await summaryOf(whole)).digest)
  assert.equal(await chainOf(longer), await chainOf(whole))
})

test('resuming with another seed, or over other images, is refused in words', async () => {
  const seed = await run('coordinator', ['--data', data, '--out', whole, '--single-node', '--resume', 'latest', '--seed', '4'], workspace.environment)
  assert.equal(seed.code, 2)
  assert.match(seed.stderr, /^error: --seed 4: the run of .* began with 3; leave the option out/m)
  const other = await drawAnimals(workspace.path('other'), 13)
  const images = await run('coordinator', ['--data', other, '--out', whole, '--single-node', '--resume', 'latest'], workspace.environment)
  assert.equal(images.code, 1)
  assert.match(images.stderr, /^error: .* was trained on another data set/m)
})

test('the run folder holds what the contract says', async () => {
  const read = async (...parts: string[]): Promise<Buffer> => readFile(path.join(whole, ...parts))
  const config = JSON.parse((await read('config.json')).toString()) as Record<string, unknown>
  for (const key of ['recipe', 'versions', 'datasetDigest', 'fingerprints']) assert.ok(key in config, key)
  assert.equal(recipeSchema.parse(config['recipe']).engine, 'wasm')
  for (const plot of ['loss', 'accuracy', 'confusion']) {
    assert.match((await read('plots', `${plot}.svg`)).toString(), /<svg/)
    assert.equal((await read('plots', `${plot}.png`)).subarray(1, 4).toString(), 'PNG')
  }
  assert.equal((await read('plots', 'predictions.png')).subarray(1, 4).toString(), 'PNG')
  assert.match((await read('report.html')).toString(), /<section id="calibration"[^]*Expected calibration error: <b>/)
  for (const file of ['epoch-0002.ckpt', 'epoch-0004.ckpt', 'epoch-0005.ckpt', 'latest.ckpt']) assert.ok((await read('checkpoints', file)).length > 1000, file)
  assert.deepEqual((await historyOf(whole)).map((line) => line.epoch), [1, 2, 3, 4, 5])
})

test('a run is not resumed by a machine that computes other bits than it did before, unless that is asked for', async () => {
  const out = workspace.path('elsewhere')
  await cp(whole, out, { recursive: true })
  const file = path.join(out, 'provenance.json')
  const provenance = provenanceSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  assert.equal(provenance.fingerprints.numerics.length, 1)
  await writeFile(file, JSON.stringify({ ...provenance, fingerprints: { ...provenance.fingerprints, numerics: ['0123456789abcdef'] } }))

  const refused = await train(out, '--epochs', '6', '--resume', 'latest')
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, new RegExp(`^error: this machine computes other bits than this run did before it was resumed \\(numerics fingerprints ${provenance.fingerprints.numerics[0]} and 0123456789abcdef\\): .*--allow-mixed-numerics\\.$`, 'm'))
  const taken = await train(out, '--epochs', '6', '--resume', 'latest', '--allow-mixed-numerics')
  assert.equal(taken.code, 0, taken.stderr)
  assert.equal((await historyOf(out)).length, 6)
})

test('a run whose accuracy does not rise stops early, keeps its last epoch, and has nothing to go on with', async () => {
  const out = workspace.path('early')
  const options = ['--epochs', '9', '--early-stop', '1', '--lr', '1e-12', '--checkpoint-every', '9']
  const ended = await train(out, ...options)
  assert.equal(ended.code, 0, ended.stderr)
  // Epoch 1 is the best of equals, epoch 2 is no better, and epoch 3 was being trained when that was known.
  assert.deepEqual((await historyOf(out)).map(({ epoch }) => epoch), [1, 2, 3])
  const checkpoints = path.join(out, 'checkpoints')
  assert.match(ended.stdout, /^ {2}best {9}.*best\.ckpt: [\d.]+ % after epoch 1$/m)
  assert.equal((await loadCheckpoint(path.join(checkpoints, 'best.ckpt'))).position.epoch, 1)
  assert.equal((await loadCheckpoint(path.join(checkpoints, 'epoch-0003.ckpt'))).position.epoch, 3)

  const { digest } = await summaryOf(out)
  assert.equal((await train(out, ...options, '--resume', 'latest')).code, 0)
  assert.deepEqual([(await historyOf(out)).length, (await summaryOf(out)).digest], [3, digest])
})
