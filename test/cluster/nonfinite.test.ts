import assert from 'node:assert/strict'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { loadCheckpoint } from '../../shared/checkpoint/checkpoint.ts'
import { metricOf } from '../support/metrics.ts'
import { addressOf, Program, type Ended } from '../support/processes.ts'
import { eventOf, linesOf, type Line } from '../support/run_events.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

/**
 * Tests of real steps whose gradient is not finite: at this learning rate, in one step the gradient overflows in some lanes,
 * in another only the loss does, and in a third nothing. The result of the run depends neither on which processes compute
 * nor on which fail.
 */
const STEPS = 20
let workspace: Workspace
let data: string
let whole: string
const training = ['--model', 'tiny', '--image-size', '32', '--batch', '8', '--lanes', '4', '--epochs', '2', '--test-fraction', '0.5', '--engine', 'wasm', '--seed', '3', '--lr', '1.4e11']

function coordinator(out: string, ...options: string[]): Program {
  return new Program('coordinator', ['--data', data, '--out', out, '--listen', '127.0.0.1:0', ...training, ...options], workspace.environment)
}

/** Events of this type, one for each step and in their order: after a crash a step is recorded again. */
async function told(out: string, event: string): Promise<Line[]> {
  const byStep = new Map((await linesOf(out, 'events.jsonl')).filter((line) => line['event'] === event).map(({ step, epoch, lanes, parameter }) => [Number(step), { step, epoch, lanes, parameter }]))
  return [...byStep.keys()].sort((a, b) => a - b).map((step) => byStep.get(step) ?? {})
}

function wentWell({ code, stderr }: Ended): void {
  assert.equal(code, 0, stderr)
}

async function isAsWhole(out: string): Promise<void> {
  const [summary, expected] = [await summaryOf(out), await summaryOf(whole)]
  assert.equal(summary.digest, expected.digest)
  assert.deepEqual([summary.steps, summary.skippedSteps, summary.images], [expected.steps, expected.skippedSteps, expected.images])
  const results = async (folder: string): Promise<Line[]> => (await linesOf(folder, 'history.jsonl')).map((line) => ({ ...line, seconds: 0, imagesPerSecond: 0, workers: 0 }))
  assert.deepEqual(await results(out), await results(whole))
  for (const event of ['gradientNotFinite', 'lossNotFinite']) assert.deepEqual(await told(out, event), await told(whole, event))
  const saved = await Promise.all([out, whole].map((folder) => loadCheckpoint(path.join(folder, 'checkpoints', 'latest.ckpt'))))
  const [bits, expectedBits] = saved.map(({ moments }) => moments.map((vector) => Buffer.from(vector.buffer)))
  assert.deepEqual(bits, expectedBits, 'the moments are the same')
}

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 12)
  whole = workspace.path('whole')
  wentWell(await coordinator(whole, '--single-node', '--on-nonfinite', 'skip').ended)
})
after(() => workspace.remove())

test('steps whose gradient is not finite are left out, counted and reported; the others are taken', async () => {
  const summary = await summaryOf(whole)
  const skipped = await told(whole, 'gradientNotFinite')
  assert.ok(skipped.length > 0 && skipped.length < STEPS, `${skipped.length} steps were left out`)
  assert.deepEqual([summary.steps, summary.skippedSteps], [STEPS, skipped.length])
  for (const { lanes } of skipped) assert.ok((lanes as number[]).length > 0)
  const history = await linesOf(whole, 'history.jsonl')
  assert.deepEqual(history.map(({ epoch, skippedSteps }) => [epoch, skippedSteps]), [1, 2].map((epoch) => [epoch, skipped.filter((line) => line['epoch'] === epoch).length]))
  assert.equal(summary.images, history.reduce((sum, { images }) => sum + Number(images), 0))
  const { position } = await loadCheckpoint(path.join(whole, 'checkpoints', 'latest.ckpt'))
  assert.deepEqual([position.step, position.skippedSteps, position.epochSkippedSteps], [STEPS, skipped.length, 0])
})

test('a loss that is not finite, of a gradient that is, is reported, and training goes on', async () => {
  const reported = await told(whole, 'lossNotFinite')
  assert.ok(reported.length > 0)
  const skipped = (await told(whole, 'gradientNotFinite')).map(({ step }) => step)
  for (const { step, lanes } of reported) {
    assert.ok((lanes as number[]).length > 0)
    assert.ok(!skipped.includes(step))
  }
  assert.ok((await linesOf(whole, 'history.jsonl')).some(({ trainLoss }) => trainLoss === null))
})

test('with a worker killed, then the coordinator, and one worker left, the same steps are skipped', async () => {
  const out = workspace.path('killed')
  const first = coordinator(out, '--workers', '2', '--on-nonfinite', 'skip', '--checkpoint-minutes', '0.0001', '--metrics-port', '0')
  const address = await addressOf(first)
  const [, metrics] = await first.said(/metrics at (\S+)/)
  const [doomed, survivor] = [1, 2].map(() => new Program('worker', ['--coordinator', address, '--data', data], workspace.environment))
  const [skipped] = await told(whole, 'gradientNotFinite')
  await first.said(new RegExp(`step ${String(skipped['step'])} is left out: the gradient of lane`))
  assert.ok(((await metricOf(metrics, 'herd_skipped_steps_total')) ?? 0) >= 1)
  await doomed.stop('SIGKILL')
  await eventOf(out, first, (line) => line['event'] === 'checkpoint' && line['epoch'] === 2 && Number(line['stepInEpoch']) < 10)
  await first.stop('SIGKILL')

  const second = coordinator(out, '--resume', 'latest', '--listen', address)
  wentWell(await second.ended)
  wentWell(await survivor.ended)
  assert.ok(Number((await second.said(/Going on from .*: epoch \d, step (\d+)/))[1]) > Number(skipped['step']))
  await isAsWhole(out)
})

test('by default the run ends at such a step, with the state before it; resumed with two workers to skip such steps, it ends as a single node does', async () => {
  const out = workspace.path('stopped')
  const stopped = await coordinator(out, '--local-workers', '1').ended
  assert.equal(stopped.code, 1)
  const [skipped] = await told(whole, 'gradientNotFinite')
  const lanes = skipped['lanes'] as number[]
  const error = stopped.stderr.slice(stopped.stderr.indexOf('error: '))
  const expected = `error: step ${String(skipped['step'])}, in epoch ${String(skipped['epoch'])}: the gradient of lane${lanes.length > 1 ? 's' : ''} ${lanes.join(', ')} is not finite, first in ${String(skipped['parameter'])}.`
  assert.ok(error.startsWith(expected), stopped.stderr)
  assert.match(error, /\nA checkpoint is saved; go on with: npx coordinator --resume latest --out .*stopped --data \S+ --local-workers 1 --listen 127\.0\.0\.1:0 --pictures off\n$/)
  assert.equal((await loadCheckpoint(path.join(out, 'checkpoints', 'latest.ckpt'))).position.step, Number(skipped['step']) - 1)

  wentWell(await coordinator(out, '--local-workers', '2', '--resume', 'latest', '--on-nonfinite', 'skip').ended)
  await isAsWhole(out)
})
