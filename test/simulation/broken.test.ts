import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { Dealer, type DealerAction, type DealerEvent } from '../../coordinator/dealing/dealer.ts'
import { ChunkSum } from '../../shared/lanes/chunk_sum.ts'
import { addInto } from '../../shared/vectors/vectors.ts'
import { WeightsInbox } from '../../worker/weights_inbox.ts'
import { LaneTree } from '../../shared/lanes/lane_tree.ts'
import { ReducerSession } from '../../reducer/session.ts'
import { planOf } from './plan.ts'
import { problems } from './problem.ts'
import { Simulation, type Outcome } from './simulation.ts'

/** Tests that break Herd on purpose, in one way at a time: the simulation must find it. They use the first of the problems. */

const [{ run: { lanes } }] = problems

/** Runs the schedule of a seed with the first of the problems. */
function simulate(seed: number, reducers: number): Promise<Outcome> {
  return new Simulation(seed, { ...planOf(seed), problem: 0, reducers }, undefined).run()
}

/** The outcome of the first schedule that fails. @throws Error if none up to `limit` does */
async function firstFailure(limit: number, reducers: number): Promise<Outcome> {
  for (let seed = 1; seed <= limit; seed++) {
    const outcome = await simulate(seed, reducers)
    if (outcome.failures.length > 0) return outcome
  }
  throw new Error(`${limit} schedules passed`)
}

/** Asserts that a failure is found, that its seed finds it again, and that it is gone without the fault. */
async function assertFound(context: TestContext, expected: RegExp, reducers = 0): Promise<void> {
  const found = await firstFailure(100, reducers)
  assert.match(found.failures.join('\n'), expected)
  assert.deepEqual(await simulate(found.seed, reducers), found)
  context.mock.restoreAll()
  assert.deepEqual((await simulate(found.seed, reducers)).failures, [])
}

function breakDealer(context: TestContext, change: (event: DealerEvent, actions: DealerAction[]) => DealerAction[]): void {
  const step = Dealer.prototype.step
  context.mock.method(Dealer.prototype, 'step', function (this: Dealer, event: DealerEvent) {
    return change(event, step.call(this, event))
  })
}

test("a dealer that forgets a lost worker's lanes is found: the run does not end", async (context) => {
  breakDealer(context, (event, actions) => (event.type === 'lost' ? actions.filter((action) => action.type !== 'deal') : actions))
  await assertFound(context, /the run does not end: a deadlock/)
})

test('a dealer that counts a result twice is found: lanes are reported twice', async (context) => {
  breakDealer(context, (event, actions) => actions.map((action): DealerAction =>
    action.type === 'drop' && event.type === 'delivered' && action.reason.includes('counted before')
      ? { type: 'count', worker: event.worker, round: event.round, lanes: Array.from({ length: event.end - event.begin }, (_, i) => event.begin + i) }
      : action))
  await assertFound(context, /counted lanes .* instead of/)
})

test('a reduce that adds partials in the order of their arrival is found: the weights differ', async (context) => {
  const { nodes } = new LaneTree(lanes)
  const sums = new WeakMap<ChunkSum, { sum: Float32Array; covered: Set<number> }>()
  context.mock.method(ChunkSum.prototype, 'add', function (this: ChunkSum, id: number, values: Float32Array) {
    const { begin, end } = nodes[id]
    const known = sums.get(this)
    const covered = known?.covered ?? new Set<number>()
    if (covered.has(begin)) return undefined
    const sum = known === undefined ? values : addInto(known.sum, values)
    for (let lane = begin; lane < end; lane++) covered.add(lane)
    sums.set(this, { sum, covered })
    return covered.size === lanes ? sum : undefined
  })
  await assertFound(context, /not those of the undisturbed run/)
})

test('a worker that computes with whatever weights it has is found: the weights differ', async (context) => {
  const take = WeightsInbox.prototype.take
  const latest = new WeakMap<WeightsInbox, Float32Array>()
  context.mock.method(WeightsInbox.prototype, 'take', async function (this: WeightsInbox, version: number) {
    const known = latest.get(this)
    if (known !== undefined) return known
    const parameters = await take.call(this, version)
    if (parameters !== undefined) latest.set(this, parameters)
    return parameters
  })
  await assertFound(context, /not those of the undisturbed run/)
})

test('a reducer that takes a step which is to be left out, or leaves out one that is not, is found: the weights differ', async (context) => {
  const take = ReducerSession.prototype.take
  context.mock.method(ReducerSession.prototype, 'take', function (this: ReducerSession, message: Parameters<typeof take>[0]) {
    take.call(this, message.message === 'settle' && message.settle.round === 3 ? { message: 'settle', settle: { ...message.settle, leaveOut: !message.settle.leaveOut } } : message)
  })
  await assertFound(context, /not those of the undisturbed run/, 2)
})
