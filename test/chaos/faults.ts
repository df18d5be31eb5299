import { KeyedRandom, Purpose } from '../../shared/random/philox.ts'

/**
 * Faults of a worker: `kill` (-9) and `leave` (SIGTERM) end it, and it is started again; `hang` stops its process
 * (-STOP, later -CONT) and `hangCompute` only its compute process, while its heartbeats go on; `cut` resets its
 * connections and refuses new ones; `partition` holds back every byte in both directions, without a sign to either end.
 */
export const workerFaults = ['kill', 'leave', 'hang', 'hangCompute', 'cut', 'partition'] as const
export type WorkerFault = (typeof workerFaults)[number]
export type FaultKind = WorkerFault | 'killCoordinator'
export const faultKinds: readonly FaultKind[] = [...workerFaults, 'killCoordinator']

/** A fault that is planned. */
export interface PlannedFault {
  kind: FaultKind
  /** Time of its beginning: when this epoch is complete (if given), and then after so many seconds. */
  after: { epoch?: number; seconds: number }
  /** Position of the victim in the list of workers that are well, as a share in [0, 1). */
  victim: number
  /**
   * True if the fault waits until every worker is well, and no other fault may begin before the run has gone on, so that its
   * cost can be told from that of others.
   */
  alone?: boolean
  /** Duration: until the worker is started again, goes on, or is reached again. */
  seconds: number
}

/** A fault that was injected. Times are milliseconds of the system's clock, as in events.jsonl. */
export interface InjectedFault {
  kind: FaultKind
  victim: string
  at: number
  until: number
}

/** Relative frequency of each kind of fault, and the range of its duration in seconds. */
const mixture: Record<WorkerFault, { weight: number; seconds: readonly [number, number] }> = {
  kill: { weight: 4, seconds: [0, 2] },
  leave: { weight: 1, seconds: [0, 2] },
  hang: { weight: 2, seconds: [0.5, 8] },
  hangCompute: { weight: 1, seconds: [0.5, 5] },
  cut: { weight: 2, seconds: [0, 3] },
  partition: { weight: 2, seconds: [0.5, 8] },
}
/** Range of the time between two faults: workers join and compute for a while, so that faults strike work; some faults overlap all the same. */
const GAP_SECONDS = [2, 7] as const

/** Yields faults of workers without end; they depend on the seed only. */
export function* randomFaults(seed: number): Generator<PlannedFault> {
  const bag = workerFaults.flatMap((kind) => new Array<WorkerFault>(mixture[kind].weight).fill(kind))
  for (let number = 0; ; number++) {
    const random = new KeyedRandom(seed, Purpose.draw, number)
    const kind = random.pick(bag)
    yield { kind, after: { seconds: random.between(...GAP_SECONDS) }, victim: random.uniform(), seconds: random.between(...mixture[kind].seconds) }
  }
}

/**
 * Plans the coordinator's deaths, spread over the run. They are tied to epochs, so that they happen before the run ends, and
 * to a moment within the next epoch, so that work since the last checkpoint is lost.
 */
export function coordinatorDeaths(seed: number, epochs: number, deaths: number, secondsPerEpoch: number): PlannedFault[] {
  return Array.from({ length: deaths }, (_, index) => {
    const random = new KeyedRandom(seed, Purpose.draw, index, 1)
    const share = (index + random.between(0.4, 0.8)) / deaths
    return { kind: 'killCoordinator', after: { epoch: Math.max(1, Math.floor(epochs * share)), seconds: secondsPerEpoch * random.uniform() }, victim: 0, seconds: 0, alone: true }
  })
}
