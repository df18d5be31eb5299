import assert from 'node:assert/strict'
import test from 'node:test'
import type { ClusterStatus } from '../../../../coordinator/contract/cluster.ts'
import type { RunEvent } from '../../../../coordinator/contract/events.ts'
import { LiveView } from '../../../../coordinator/watch/live_view.ts'
import { patched } from '../../../../live/patch.ts'
import { briefSchema, runViewSchema, type RunFacts, type RunPatch } from '../../../../live/view.ts'

const facts: RunFacts = {
  name: 'first', folder: '/runs/first', recipe: { model: 'tiny', imageSize: 8, batch: 16, lanes: 2, epochs: 3, seed: 0, precision: 'f32', engine: 'wasm', lr: 0.001 },
      parameters: 10, classes: ['cat', 'dog'], trainImages: 64, testImages: 16,
  stepsPerEpoch: 4,
}
const step = (number: number, loss = 1): RunEvent => ({
  type: 'step', epoch: Math.ceil(number / 4), stepInEpoch: (number - 1) % 4, stepsPerEpoch: 4, step: number, samples: 16, seconds: 2, loss, accuracy: 0.5, gradientNorm: 3,
  split: { lanes: 1.9, reduce: 0.05, optimizer: 0.03, broadcast: 0.02 }, computedBy: ['a', 'b'],
})
const epoch = (number: number): RunEvent => ({
  type: 'epoch', epoch: number, epochs: 3, step: 4 * number, trainLoss: 1, trainAccuracy: 0.5, testLoss: 1.1, testAccuracy: 0.4, learningRate: 0.001, images: 64, skippedSteps: 0, seconds: 8, imagesPerSecond: 8, workers: 2,
})

function follow(at = { epoch: 1, stepInEpoch: 0, step: 0 }): { live: LiveView; patches: RunPatch[]; status: { waiting: boolean }; pass: (seconds: number) => void } {
  const status = { waiting: false, members: [] as ClusterStatus['members'] }
  let now = Date.parse('2026-01-01T00:00:00Z')
  const live = new LiveView({ facts, history: [], evaluation: null, at, status: () => status as unknown as ClusterStatus, now: () => new Date(now) })
  const patches: RunPatch[] = []
  live.subscribe((patch) => patches.push(patch))
  return { live, patches, status, pass: (seconds) => void (now += seconds * 1000) }
}

test('patches bring what a page has to what the coordinator has', () => {
  const { live, patches, pass } = follow()
  const before = live.view
  assert.equal(before.state, 'waiting')
  live.observe({ type: 'workerJoined', worker: 'a', workers: 1, engine: 'wasm', device: 'cpu', fingerprint: 'f', sharesMemory: false })
  for (let number = 1; number <= 4; number++) live.observe(step(number))
  live.flush()
  live.observe({ type: 'evaluating', epoch: 1, beside: false })
  live.observe({ type: 'testing', done: 1, total: 2 })
  live.flush()
  assert.equal(live.view.state, 'evaluating')
  assert.deepEqual(live.view.progress.testing, { done: 1, total: 2 })
  pass(5)
  live.observe({ type: 'evaluated', epoch: 1, step: 4, classes: ['cat', 'dog'], confusion: [[5, 3], [1, 7]], predictions: [] })
  live.observe(epoch(1))
  live.flush()

  const page = patches.reduce(patched, before)
  assert.deepEqual(page, live.view)
  assert.deepEqual(runViewSchema.parse(structuredClone(page)), page)
  assert.equal(page.state, 'training')
  assert.deepEqual(page.steps.map((point) => point.step), [1, 2, 3, 4])
  assert.deepEqual(page.strips.at(-1), { step: 4, computedBy: ['a', 'b'] })
  assert.deepEqual(page.events.map(({ kind, text }) => [kind, text]), [['workerJoined', 'Worker a joined (wasm, cpu); 1 in.']])
  assert.deepEqual(page.evaluation?.confusion, [[5, 3], [1, 7]])
  assert.equal(page.history.length, 1)
  assert.equal(page.history[0].step, 4)
})

test('the next epoch may have begun when an epoch is kept', () => {
  const { live } = follow()
  for (let number = 1; number <= 4; number++) live.observe(step(number))
  live.observe({ type: 'evaluating', epoch: 1, beside: false })
  live.observe(step(5))
  live.observe(step(6))
  live.observe(epoch(1))
  live.flush()
  assert.deepEqual([live.view.progress.epoch, live.view.progress.stepInEpoch, live.view.progress.step], [2, 2, 6])
  assert.equal(live.view.history[0].step, 4)
})

test('time left is that of the steps at the speed of the last ones, and of the evaluations', () => {
  const { live, pass } = follow()
  live.observe(step(1))
  live.flush()
  assert.deepEqual(live.view.progress, { epoch: 1, stepInEpoch: 1, step: 1, imagesPerSecond: 8, epochSecondsLeft: 6, runSecondsLeft: 22, testing: null })
  for (let number = 2; number <= 4; number++) live.observe(step(number))
  live.observe({ type: 'evaluating', epoch: 1, beside: false })
  pass(5)
  live.observe(epoch(1))
  live.flush()
  // Two epochs of four steps are left, with two seconds for each step, and with an evaluation of five seconds after each epoch.
  assert.deepEqual(live.view.progress, { epoch: 2, stepInEpoch: 0, step: 4, imagesPerSecond: 8, epochSecondsLeft: 8, runSecondsLeft: 26, testing: null })
})

test('a run that is resumed begins where it stands, and one without workers waits', () => {
  const { live, status } = follow({ epoch: 2, stepInEpoch: 3, step: 7 })
  assert.deepEqual(live.view.progress, { epoch: 2, stepInEpoch: 3, step: 7, imagesPerSecond: null, epochSecondsLeft: null, runSecondsLeft: null, testing: null })
  live.observe(step(8))
  status.waiting = true
  live.flush()
  assert.equal(live.view.state, 'waiting')
  status.waiting = false
  live.flush()
  assert.equal(live.view.state, 'training')
})

test('a loss that is no number is shown as none, here and in what travels as JSON', () => {
  const { live } = follow()
  live.observe(step(1, NaN))
  live.flush()
  assert.equal(live.view.steps[0].loss, null)
  assert.equal(briefSchema.parse(JSON.parse(JSON.stringify(live.brief))).lastStep?.loss, null)
})

test('a curve of many steps is thinned, its newest part is not', () => {
  const { live } = follow()
  for (let number = 1; number <= 10_000; number++) live.observe(step(number, number))
  live.flush()
  const { steps } = live.view
  assert.ok(steps.length <= 4000)
  assert.deepEqual(steps.slice(-1000).map((point) => point.step), Array.from({ length: 1000 }, (_, i) => 9001 + i))
  assert.ok(steps.every((point, i) => i === 0 || point.step > steps[i - 1].step))
  assert.ok(steps.every((point) => (point.loss ?? 0) <= point.step && (point.loss ?? 0) > 0))
})
