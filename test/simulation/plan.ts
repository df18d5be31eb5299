import { KeyedRandom, Purpose } from '../../shared/random/philox.ts'
import { meddlings, type Meddling } from './meddler.ts'
import { problems } from './problem.ts'

/** What befalls one worker. */
export const workerFaults = [
  /** kill -9: the connection is seen to break. */
  'crash',
  /** Its machine loses power: nothing is heard any more. */
  'power loss',
  /** Stopped for a while; what came meanwhile it finds when it goes on. */
  'hang',
  /** Its compute process dies. */
  'compute crash',
  /** Its connections break, seen by both ends. */
  'connection reset',
  /** Seen by one end only, as by a router that forgets the connection. */
  'half-open connection',
  /** The control stream breaks while gradients still arrive, or the reverse. */
  'one stream broken',
  /** Cut off for a while; what was sent arrives late. */
  'partition',
  /** Computes slower or faster from now on. */
  'change of speed',
  /** Leaves in order. */
  'leave',
] as const

/** What befalls one reducer, in runs that have some. */
export const reducerFaults = ['reducer crash', 'reducer power loss', 'reducer hang', 'reducer reset', 'reducer partition'] as const

/** What befalls the run. */
export const runFaults = ['join', 'coordinator crash', 'coordinator power loss', 'coordinator hang', 'coordinator stop', 'partition of all', 'full disk'] as const

export type FaultKind = (typeof workerFaults)[number] | (typeof reducerFaults)[number] | (typeof runFaults)[number]

export interface Fault {
  kind: FaultKind
  atMs: number
  /** For how long, where that has a meaning: until it heals, goes on, or is started again. */
  durationMs: number
}

/** A schedule: all that is decided before a run begins. */
export interface Plan {
  problem: number
  workers: number
  workersWanted: number
  /** Processes that reduce; none: the coordinator does. */
  reducers: number
  silenceLimitMs: number
  /** Between two checkpoints in mid-epoch; 0 for none. */
  checkpointSeconds: number
  faults: Fault[]
  meddling: { rate: number; kinds: Meddling[] }
  /** From here on nothing fails any more, and what is broken is repaired. */
  calmFromMs: number
}

const FAULTS_END_MS = 30_000
/** Share of runs with reducers, where the vector can be cut; a lost reducer ends a run, which is then begun again, so in those not too many befall one. */
const REDUCERS_RATE = 0.4
const REDUCER_FAULTS_RATE = 0.15

/** The schedule of a seed. */
export function planOf(seed: number): Plan {
  const random = new KeyedRandom(seed, Purpose.simulation, 1)
  const workers = 1 + random.below(5)
  const problem = random.below(problems.length)
  // Not every vector has chunks for two.
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
    problem, workers, reducers, faults,
    workersWanted: 1 + random.below(Math.min(workers, 3)),
    checkpointSeconds: random.pick([0, 0.3, 1]),
    silenceLimitMs: random.pick([2500, 4000, 8000]),
    meddling: { rate: random.pick([0, 0, 0.002, 0.02]), kinds: meddlings.filter(() => random.uniform() < 0.6).concat(random.pick(meddlings)) },
    calmFromMs: FAULTS_END_MS + 16_000,
  }
}
