import type { LaneReport } from '../../shared/lanes/lane_report.ts'
import type { StepPosition } from '../../shared/lanes/sample_schedule.ts'
import { roundOf } from '../contract/rounds.ts'

/** A step in progress, with the reports of its lanes that have been counted. */
export class OpenStep {
  /** Position of the step in the run. */
  readonly at: StepPosition
  /** Number of its round on the wire. */
  readonly round: number
  /** Settles when every lane is counted. */
  readonly done: Promise<void>
  /** Settles `done`; called when every lane is counted. */
  complete: () => void = () => undefined
  readonly #reports: LaneReport[] = []
  readonly #computedBy: string[] = []

  constructor(at: StepPosition) {
    this.at = at
    this.round = roundOf('TRAIN', at)
    this.done = new Promise((resolve) => (this.complete = resolve))
  }

  count(worker: string, lanes: readonly LaneReport[]): void {
    this.#reports.push(...lanes)
    for (const { lane } of lanes) this.#computedBy[lane] = worker
  }

  /** Reports of all lanes in their order, and the name of the worker that computed each. */
  get result(): { lanes: LaneReport[]; computedBy: string[] } {
    return { lanes: this.#reports.toSorted((a, b) => a.lane - b.lane), computedBy: this.#computedBy }
  }
}
