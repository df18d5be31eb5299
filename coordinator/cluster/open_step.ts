import type { LaneReport } from '../../shared/lanes/lane_report.ts'
import type { StepPosition } from '../../shared/lanes/sample_schedule.ts'
import { roundOf } from '../contract/rounds.ts'

/** A step that goes on: what has been counted of its lanes. */
export class OpenStep {
  /** Steps of the run that came before. */
  readonly at: StepPosition
  /** Names it on the wire. */
  readonly round: number
  /** Settles when every lane is counted. */
  readonly done: Promise<void>
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

  /** What the lanes reported, in their order, and the worker of each. */
  get result(): { lanes: LaneReport[]; computedBy: string[] } {
    return { lanes: this.#reports.toSorted((a, b) => a.lane - b.lane), computedBy: this.#computedBy }
  }
}
