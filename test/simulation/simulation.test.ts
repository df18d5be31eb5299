import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import test from 'node:test'
import { shortOrLong } from '../runner/long_forms.ts'
import { lieKinds } from './liar.ts'
import { meddlings } from './meddler.ts'
import { planOf, reducerFaults, runFaults, workerFaults, type Plan } from './plan.ts'
import { problems } from './problem.ts'
import { Simulation, simulate } from './simulation.ts'
import { Statistics } from './statistics.ts'
import { ROOT } from '../../shared/kit/project.ts'

/** Number of schedules; `npm run simulate` runs thousands. */
const SCHEDULES = shortOrLong(110, 3000)

const calm: Plan = { problem: 0, workers: 1, workersWanted: 1, reducers: 0, silenceLimitMs: 4000, checkpointSeconds: 0.3, verify: 0, liars: 0, lieRate: 0, lies: [], faults: [], meddling: { rate: 0, kinds: ['lost'] }, calmFromMs: 0 }

function command(...options: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [path.join(import.meta.dirname, 'main.js'), ...options], { encoding: 'utf8', cwd: ROOT })
}

test('undisturbed, clusters of one to four workers come to what one process computes without a cluster, and count each lane once', async () => {
  for (const [index, { name, run, schedule, epochs }] of problems.entries()) {
    for (let workers = 1; workers <= 4; workers++) {
      const outcome = await new Simulation(1, { ...calm, problem: index, workers, workersWanted: workers }, undefined).run()
      assert.deepEqual(outcome.failures, [], name)
      assert.equal(outcome.counts['lanes counted'], run.lanes * schedule.stepsPerEpoch * epochs)
      assert.equal(outcome.counts['units dealt again'], undefined)
      if (workers === 1) assert.equal(outcome.counts['lanes computed'], outcome.counts['lanes counted'])
    }
  }
})

test('undisturbed, with ranges of the vector in two or three reducers, it is the same', async () => {
  for (const [index, { name, layout, chunkFloats }] of problems.entries()) {
    for (let reducers = 2; reducers <= Math.min(3, Math.ceil(layout.size / chunkFloats)); reducers++) {
      const outcome = await new Simulation(1, { ...calm, problem: index, workers: 3, workersWanted: 2, reducers }, undefined).run()
      assert.deepEqual(outcome.failures, [], name)
      assert.equal(outcome.counts['reducers joined'], reducers)
      assert.equal(outcome.counts['reducers lost'], undefined)
    }
  }
})

test(`under ${SCHEDULES} random schedules of faults a run ends with the undisturbed digest, every sample of every epoch counted once`, async () => {
  const statistics = new Statistics()
  for (let seed = 1; seed <= SCHEDULES; seed++) {
    const { failures, counts } = await simulate(seed)
    assert.deepEqual(failures, [], `npm run simulate -- --seed ${seed} --schedules 1 --verbose`)
    statistics.merge(counts)
  }
  const missing = [...workerFaults, ...reducerFaults, ...runFaults, 'reducers lost', 'units taken over', 'steps left out', 'workers left', 'liars put out', 'checks confirmed', ...lieKinds.map((kind) => `lies ${kind}`), ...meddlings.map((kind) => `message ${kind}`)].filter((kind) => statistics.counts[kind] === undefined)
  assert.deepEqual(missing, [], 'faults that never happened')
})

test('a seed replays the same events to the last, and another seed others', async () => {
  const hashes = new Set<string>()
  for (let seed = 1; seed <= 20; seed++) {
    const [first, second] = [await simulate(seed), await simulate(seed)]
    assert.deepEqual(second, first)
    hashes.add(first.traceHash)
  }
  assert.equal(hashes.size, 20)
})

test('a seed replays the same events in another process, printed', async () => {
  const { traceHash } = await simulate(7)
  const { status, stdout, stderr } = command('--seed', '7', '--schedules', '1', '--verbose')
  assert.equal(status, 0, stderr)
  assert.match(stdout, new RegExp(`trace ${traceHash}`))
  assert.match(stdout, /coordinator 1 +starts at step 0/)
})

test('the command shares schedules among processes, and says what happened', () => {
  const { status, stdout, stderr } = command('--seed', '1', '--schedules', '12', '--processes', '2')
  assert.equal(status, 0, stderr)
  assert.match(stdout, /12 schedules in .* schedules\/s/)
  assert.match(stdout, /lanes computed \d+, lanes counted \d+/)
  assert.match(stdout, /all 12 passed/)
})

test('the command refuses options that it does not understand', () => {
  const { status, stderr } = command('--schedules', 'many')
  assert.equal(status, 2)
  assert.match(stderr, /--schedules many: expected a whole number/)
})

test('the schedule of a seed is known before it runs', () => {
  assert.deepEqual(planOf(5), planOf(5))
  assert.notDeepEqual(planOf(5), planOf(6))
})
