import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { median } from '../../benchmark/bench/statistics.ts'
import { addressOf, Program, run } from '../support/processes.ts'
import { coverage, readTrace, type TracedSpan } from '../support/trace.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

/** Tests of --trace with real runs, checked against the format's documentation (test/support/trace.ts). */
let workspace: Workspace
let data: string
const EPOCHS = 2
/** Largest difference of aligned clocks on a busy machine: half of the quickest round trip. */
const CLOCKS_MICROSECONDS = 10_000
// Steps take about as long as real ones: in tiny ones, a busy machine would spend much of the time on neither work nor waiting.
const training = ['--model', 'article', '--image-size', '156', '--batch', '16', '--lanes', '4', '--epochs', String(EPOCHS), '--test-fraction', '0.4']

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 12)
})
after(() => workspace.remove())

const named = (spans: readonly TracedSpan[], ...names: string[]): TracedSpan[] => spans.filter(({ name }) => names.includes(name))

/**
 * Share of a step's time that these spans cover: median over the steps from the second on (in the first, engines warm up). It is the median because
 * the machine's other processes can interrupt a step between two spans.
 */
const coverageOfSteps = (steps: readonly TracedSpan[], spans: readonly TracedSpan[]): number => median(steps.slice(1).map((step) => coverage(spans, step)))

test('the trace of a cluster tells what every step of each worker was spent on, by one clock', async () => {
  const file = workspace.path('trace.json')
  const coordinator = new Program('coordinator', ['--data', data, '--out', workspace.path('traced'), '--workers', '2', '--listen', '127.0.0.1:0', '--trace', file, ...training], workspace.environment)
  const address = await addressOf(coordinator)
  const workers = ['one', 'two'].map((name) => new Program('worker', ['--coordinator', address, '--data', data, '--name', name], workspace.environment))
  assert.equal((await coordinator.ended).code, 0, coordinator.stderr)
  await Promise.all(workers.map((worker) => worker.ended))

  const { steps: stepCount } = await summaryOf(workspace.path('traced'))
  const spans = await readTrace(file)
  const steps = named(spans, 'step')
  assert.deepEqual(steps.map(({ step }) => step), Array.from({ length: stepCount }, (_, i) => i + 1))
  assert.equal(named(spans, 'evaluation').length, EPOCHS)
  assert.deepEqual([...new Set(spans.map(({ process }) => process))].sort(), ['coordinator', 'worker one', 'worker two'])

  // Every lane of every step was computed by a worker, after its images were decoded and before its step ended.
  for (const step of steps) {
    const computed = named(spans, 'compute').filter((span) => span.step === step.step)
    assert.deepEqual([...new Set(computed.map(({ lane }) => lane))].sort(), [0, 1, 2, 3])
    for (const { lane, process, begin, end } of computed) {
      const decoded = named(spans, 'decode').find((span) => span.process === process && span.step === step.step && span.lane === lane)
      assert.ok(decoded !== undefined && decoded.end <= begin, `lane ${lane} of step ${step.step} is decoded before it is computed`)
      // A lane that was computed by two workers may end later on the slower one.
      assert.ok(begin >= step.begin - CLOCKS_MICROSECONDS, `lane ${lane} of step ${step.step} is computed after the step began`)
      if (computed.filter((span) => span.lane === lane).length === 1) assert.ok(end <= step.end + CLOCKS_MICROSECONDS, `lane ${lane} of step ${step.step} is computed before the step ended`)
    }
  }
  for (const name of ['upload', 'feed', 'collect', 'idle', 'weights wait', 'test', 'reduce', 'optimizer', 'broadcast']) assert.ok(named(spans, name).length >= EPOCHS, name)

  // The coordinator's work and waits together fill a step, and so do those of each worker.
  const own = spans.filter(({ process, name }) => process === 'coordinator' && name !== 'step' && name !== 'evaluation')
  const ownShare = coverageOfSteps(steps, own)
  assert.ok(ownShare >= 0.95, `the coordinator's spans cover ${ownShare} of the steps`)
  const worked = spans.filter(({ process, name }) => process !== 'coordinator' && name !== 'decode')
  for (const worker of ['worker one', 'worker two']) {
    const share = coverageOfSteps(steps, [...worked.filter(({ process }) => process === worker), ...named(own, 'reduce', 'optimizer', 'broadcast')])
    assert.ok(share >= 0.95, `the spans of ${worker} cover ${share} of the steps`)
  }
  // Most of a step is work of some process, rather than waits.
  const share = coverageOfSteps(steps, [...worked.filter(({ row }) => row !== 'waits'), ...named(own, 'reduce', 'optimizer', 'broadcast')])
  assert.ok(share >= 0.8, `what is done, rather than waited for, covers ${share} of the steps`)
})

test('a single node is traced too, and computes the same with and without', async () => {
  const file = workspace.path('single.json')
  const traced = await run('coordinator', ['--data', data, '--out', workspace.path('single'), '--single-node', '--trace', file, ...training], workspace.environment)
  assert.equal(traced.code, 0, traced.stderr)
  const untraced = await run('coordinator', ['--data', data, '--out', workspace.path('untraced'), '--single-node', ...training], workspace.environment)
  assert.equal(untraced.code, 0, untraced.stderr)
  const [one, other, cluster] = await Promise.all(['single', 'untraced', 'traced'].map((name) => summaryOf(workspace.path(name))))
  assert.equal(one.digest, other.digest)
  assert.equal(one.digest, cluster.digest)
  const spans = await readTrace(file)
  const steps = named(spans, 'step')
  assert.equal(steps.length, one.steps)
  const share = coverageOfSteps(steps, named(spans, 'compute', 'feed', 'collect', 'decode', 'reduce', 'optimizer'))
  assert.ok(share >= 0.95, `computing, feeding, collecting, decoding and stepping cover ${share} of the steps`)
})

test('a trace that cannot be written is said before anything is made', async () => {
  const { code, stderr } = await run('coordinator', ['--data', data, '--out', workspace.path('nowhere'), '--single-node', '--trace', workspace.path('missing', 'trace.json'), ...training], workspace.environment)
  assert.equal(code, 1)
  assert.match(stderr, /^error: --trace .*missing\/trace\.json cannot be written: ENOENT/m)
})
