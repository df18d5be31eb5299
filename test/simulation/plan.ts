import { KeyedRandom, Purpose } from '../../shared/random/philox.ts'
import { lieKinds, type LieKind } from './liar.ts'
import { meddlings, type Meddling } from './meddler.ts'
import { problems } from './problem.ts'

/** Faults of one worker. */
export const workerFaults = [
  /** The process is killed (kill -9): the coordinator sees the connection break. */
  'crash',
  /** The machine loses power: the coordinator hears nothing any more. */
  'power loss',
  /** The process is stopped for a while, and finds the messages that came meanwhile when it goes on. */
  'hang',
  /** The compute process dies. */
  'compute crash',
  /** The connections break, and both ends notice. */
  'connection reset',
  /** The connections break, and only one end notices soon, as when a router forgets the connection. */
  'half-open connection',
  /** The control stream breaks while gradients still arrive, or the reverse. */
  'one stream broken',
  /** The machine is cut off for a while; messages sent meanwhile arrive late. */
  'partition',
  /** The worker computes slower or faster from now on. */
  'change of speed',
  /** The worker leaves in order. */
  'leave',
] as const

/** Faults of one reducer, in runs that have some. */
export const reducerFaults = ['reducer crash', 'reducer power loss', 'reducer hang', 'reducer reset', 'reducer partition'] as const

/** Faults of the whole run, and workers that join. */
export const runFaults = ['join', 'coordinator crash', 'coordinator power loss', 'coordinator hang', 'coordinator stop', 'partition of all', 'full disk'] as const

export type FaultKind = (typeof workerFaults)[number] | (typeof reducerFaults)[number] | (typeof runFaults)[number]

export interface Fault {
  kind: FaultKind
  atMs: number
  /** Time until the fault heals, or the process goes on or is started again; without meaning for other faults. */
  durationMs: number
}

/** A schedule: everything that is decided before a run begins. */
export interface Plan {
  problem: number
  workers: number
  workersWanted: number
  /** Number of reducers; with 0 the coordinator reduces. */
  reducers: number
  silenceLimitMs: number
  /** Seconds between two checkpoints in mid-epoch; 0 for none. */
  checkpointSeconds: number
  /** Share of the partials that is checked. */
  verify: number
  /** Number of workers that lie. */
  liars: number
  /** Share of their sums that they change. */
  lieRate: number
  /** Ways in which they do. */
  lies: LieKind[]
  faults: Fault[]
  meddling: { rate: number; kinds: Meddling[] }
  /** Time from which nothing fails any more, and at which everything is repaired. */
  calmFromMs: number
}

const FAULTS_END_MS = 30_000
/** Share of runs with reducers, among those whose vector can be cut. */
const REDUCERS_RATE = 0.4
/** Share of faults that strike a reducer, in runs with reducers: not too many, since a lost reducer ends a run, which is then begun again. */
const REDUCER_FAULTS_RATE = 0.15

/** The schedule of a seed. */
export function planOf(seed: number): Plan {
  const random = new KeyedRandom(seed, Purpose.simulation, 1)
  const lying = random.pick([0, 0, 0, 1, 2])
  // Two honest workers are needed to find a lie, and to prove another honest one right.
  const workers = (lying === 0 ? 1 : lying + 2) + random.below(lying === 0 ? 5 : 2)
  const verify = random.pick(lying === 0 ? [0, 0, 0.3, 1] : [0, 1, 1])
  // Without digests only a gradient that is not finite is looked into, so nothing else may be a lie, and two liars would agree on that one.
  const liars = verify === 0 ? Math.min(lying, 1) : lying
  const problem = random.below(problems.length)
  // Two reducers need a vector of at least two chunks.
  const reducers = problems[problem].layout.size > problems[problem].chunkFloats && random.uniform() < REDUCERS_RATE ? 2 : 0
  const anyFault = (): FaultKind => {
    if (reducers > 0 && random.uniform() < REDUCER_FAULTS_RATE) return random.pick(reducerFaults)
    return random.uniform() < 0.75 ? random.pick(workerFaults) : random.pick(runFaults)
  }
  const faults = Array.from({ length: random.pick([1, 3, 6, 12, 25]) }, (): Fault => ({
    kind: anyFault(),
    atMs: random.between(0, random.pick([5000, 15_000, FAULTS_END_MS])),
    durationMs: random.pick([random.between(10, 500), random.between(500, 3000), random.between(3000, 15_000)]),
  })).sort((a, b) => a.atMs - b.atMs)
  return {
    problem, workers, reducers, faults, liars, verify,
    lieRate: random.pick([0.02, 0.1, 0.5]),
    lies: verify === 0 ? ['not finite'] : [...lieKinds],
    workersWanted: Math.max(verify === 1 ? 2 : 1, 1 + random.below(Math.min(workers, 3))),
    checkpointSeconds: random.pick([0, 0.3, 1]),
    silenceLimitMs: random.pick([2500, 4000, 8000]),
    meddling: { rate: random.pick([0, 0, 0.002, 0.02]), kinds: meddlings.filter(() => random.uniform() < 0.6).concat(random.pick(meddlings)) },
    calmFromMs: FAULTS_END_MS + 16_000,
  }
}
