import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { CheckDealer, type CheckAction, type CheckEvent, type CheckTask, type Opinion } from '../../coordinator/dealing/check_dealer.ts'
import { Dealer, type DealerAction, type DealerEvent } from '../../coordinator/dealing/dealer.ts'
import { Checks } from '../../coordinator/cluster/checks.ts'
import { SentSums, type SentSum } from '../../coordinator/cluster/sent_sums.ts'
import { ChunkSum } from '../../shared/lanes/chunk_sum.ts'
import { addInto } from '../../shared/vectors/vectors.ts'
import { WeightsInbox } from '../../worker/weights_inbox.ts'
import { LaneTree } from '../../shared/lanes/lane_tree.ts'
import { ReducerSession } from '../../reducer/session.ts'
import { planOf, type Fault, type Plan } from './plan.ts'
import { problems } from './problem.ts'
import { Simulation, type Outcome } from './simulation.ts'

/** Tests that break Herd on purpose, in one way at a time: the simulation must find it. They use the first of the problems. */

const [{ run: { lanes } }] = problems

/** Runs the schedule of a seed with the first of the problems. */
function simulate(seed: number, change: Partial<Plan>): Promise<Outcome> {
  return new Simulation(seed, { ...planOf(seed), problem: 0, ...change }, undefined).run()
}

/** The outcome of the first of a hundred schedules that fails. @throws Error if none does */
async function firstFailure(firstSeed: number, change: Partial<Plan>): Promise<Outcome> {
  for (let seed = firstSeed; seed < firstSeed + 100; seed++) {
    const outcome = await simulate(seed, change)
    if (outcome.failures.length > 0) return outcome
  }
  throw new Error('a hundred schedules passed')
}

/**
 * Asserts that a failure is found, that its seed finds it again, and that it is gone without the fault.
 * @param firstSeed where the search begins: near a seed that finds a rare failure, since a schedule takes a second
 */
async function assertFound(context: TestContext, expected: RegExp, change: Partial<Plan> = { reducers: 0 }, firstSeed = 1): Promise<void> {
  const found = await firstFailure(firstSeed, change)
  assert.match(found.failures.join('\n'), expected)
  assert.deepEqual(await simulate(found.seed, change), found)
  context.mock.restoreAll()
  assert.deepEqual((await simulate(found.seed, change)).failures, [])
}

/** A liar among honest workers, of which everything is checked. */
const lying: Partial<Plan> = { reducers: 0, workers: 3, workersWanted: 2, verify: 1, liars: 1, lieRate: 0.1 }

function breakDealer(context: TestContext, change: (event: DealerEvent, actions: DealerAction[]) => DealerAction[]): void {
  const step = Dealer.prototype.step
  context.mock.method(Dealer.prototype, 'step', function (this: Dealer, event: DealerEvent) {
    return change(event, step.call(this, event))
  })
}

function breakCheckDealer(context: TestContext, change: (event: CheckEvent, step: (event: CheckEvent) => CheckAction[]) => CheckAction[]): void {
  const step = CheckDealer.prototype.step
  context.mock.method(CheckDealer.prototype, 'step', function (this: CheckDealer, event: CheckEvent) {
    return change(event, (changed) => step.call(this, changed))
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
  await assertFound(context, /not those of the undisturbed run/, { reducers: 2 })
})

test('checks that confirm whatever is answered are found: the weights differ', async (context) => {
  const claims = new Map<number, Opinion>()
  breakCheckDealer(context, (event, step) => {
    if (event.type === 'open') claims.set(event.task.id, event.task.claim)
    return step(event.type === 'answered' ? { ...event, opinion: claims.get(event.id) ?? event.opinion } : event)
  })
  await assertFound(context, /not those of the undisturbed run/, lying)
})

test('checks that believe the one who is asked, without a third, are found: an honest worker is put out', async (context) => {
  const tasks = new Map<number, CheckTask>()
  breakCheckDealer(context, (event, step) => {
    if (event.type === 'open') tasks.set(event.task.id, event.task)
    return step(event).map((action): CheckAction => {
      const task = action.type === 'disputed' ? tasks.get(action.id) : undefined
      if (task === undefined || action.type !== 'disputed' || event.type !== 'answered' || event.opinion === 'gone') return action
      return { type: 'lied', id: task.id, liars: [task.suspect], truth: event.opinion, witnesses: action.between.slice(1) }
    })
  })
  await assertFound(context, /which is honest, is put out/, lying)
})

test('checks that checkpoints do not wait for are found: the run goes back to weights with a lie', async (context) => {
  context.mock.method(Checks.prototype, 'confirmed', () => Promise.resolve())
  // With a share of nearly 1, nearly all is checked, but no step waits for it.
  await assertFound(context, /not those of the undisturbed run/, { ...lying, verify: 0.999, checkpointSeconds: 0.01 })
})

test('checks that leave out what was sent only in part are found: the weights differ', async (context) => {
  const all = Object.getOwnPropertyDescriptor(SentSums.prototype, 'all')?.get
  assert.ok(all !== undefined)
  context.mock.getter(SentSums.prototype, 'all', function (this: SentSums) {
    return (all.call(this) as SentSum[]).filter(({ whole }) => whole)
  })
  // Connections that break again and again cut results short.
  const faults = Array.from({ length: 60 }, (_, index): Fault => ({ kind: 'connection reset', atMs: 80 * index, durationMs: 50 }))
  await assertFound(context, /not those of the undisturbed run/, { ...lying, problem: 3, workers: 4, liars: 2, lieRate: 0.3, lies: ['lazy'], checkpointSeconds: 0.3, faults, meddling: { rate: 0, kinds: ['lost'] } }, 31)
})
