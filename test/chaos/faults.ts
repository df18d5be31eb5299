import { KeyedRandom, Purpose } from '../../shared/random/philox.ts'

/**
 * What is done to a worker: `kill` (-9) and `leave` (SIGTERM) end it, and it is started again; `hang` stops its process
 * (-STOP, later -CONT) and `hangCompute` only its compute process, while its heartbeats go on; `cut` resets its
 * connections and refuses new ones; `partition` holds every byte in both directions, and tells nobody.
 */
export const workerFaults = ['kill', 'leave', 'hang', 'hangCompute', 'cut', 'partition'] as const
export type WorkerFault = (typeof workerFaults)[number]
export type FaultKind = WorkerFault | 'killCoordinator'
export const faultKinds: readonly FaultKind[] = [...workerFaults, 'killCoordinator']

/** A fault that is to come. */
export interface PlannedFault {
  kind: FaultKind
  /** It begins when this epoch is complete (where given), and then after so many seconds. */
  after: { epoch?: number; seconds: number }
  /** Which of the workers that are well: a share in [0, 1) of their list. */
  victim: number
  /**
   * It waits until every worker is well, and no other fault begins before the run has gone on: what it costs can then be
   * told from what others cost.
   */
  alone?: boolean
  /** How long it lasts: until the worker is started again, goes on, or is reached again. */
  seconds: number
}

/** A fault that was. Times are milliseconds of the system's clock, as in events.jsonl. */
export interface InjectedFault {
  kind: FaultKind
  victim: string
  at: number
  until: number
}

/** Each kind's share of the faults, and the seconds that it lasts. */
const mixture: Record<WorkerFault, { weight: number; seconds: readonly [number, number] }> = {
  kill: { weight: 4, seconds: [0, 2] },
  leave: { weight: 1, seconds: [0, 2] },
  hang: { weight: 2, seconds: [0.5, 8] },
  hangCompute: { weight: 1, seconds: [0.5, 5] },
  cut: { weight: 2, seconds: [0, 3] },
  partition: { weight: 2, seconds: [0.5, 8] },
}
/** Workers are in and compute for a while between two faults, so that faults strike work; some overlap all the same. */
const GAP_SECONDS = [2, 7] as const

/** Faults of workers without end, which the seed decides. */
export function* randomFaults(seed: number): Generator<PlannedFault> {
  const bag = workerFaults.flatMap((kind) => new Array<WorkerFault>(mixture[kind].weight).fill(kind))
  for (let number = 0; ; number++) {
    const random = new KeyedRandom(seed, Purpose.draw, number)
    const kind = random.pick(bag)
    yield { kind, after: { seconds: random.between(...GAP_SECONDS) }, victim: random.uniform(), seconds: random.between(...mixture[kind].seconds) }
  }
}

/**
 * The coordinator's deaths, spread over the run. They are tied to epochs, so that they happen before it ends, and to a
 * moment within the next epoch, so that work since the last checkpoint is lost.
 */
export function coordinatorDeaths(seed: number, epochs: number, deaths: number, secondsPerEpoch: number): PlannedFault[] {
  return Array.from({ length: deaths }, (_, index) => {
    const random = new KeyedRandom(seed, Purpose.draw, index, 1)
    const share = (index + random.between(0.4, 0.8)) / deaths
    return { kind: 'killCoordinator', after: { epoch: Math.max(1, Math.floor(epochs * share)), seconds: secondsPerEpoch * random.uniform() }, victim: 0, seconds: 0, alone: true }
  })
}
