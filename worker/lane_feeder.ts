import type { Compute } from '../shared/compute/compute.ts'
import type { InputPipeline } from '../shared/data/input_pipeline.ts'
import type { LaneSum, PreparedLane, Stretch } from '../shared/lanes/lane_stack.ts'
import type { Schedule } from '../shared/lanes/sample_schedule.ts'
import type { Span } from '../shared/trace/span.ts'
import type { Deal } from '../shared/wire/messages.ts'
import type { Job } from './job.ts'
import type { UnitClock } from './unit_clock.ts'
import type { Uploader } from './uploader.ts'

export interface LaneFeederParts {
  compute: Compute
  input: InputPipeline
  schedule: Schedule
  uploader: Uploader
  clock: UnitClock
  now: () => number
  onSpan: (span: Span) => void
  /** Receives each lane when it is computed, with the seconds it took. */
  onComputed: (deal: Deal, lane: number, seconds: number) => void
  /** Receives the number of samples of each computed lane, when its partial is uploaded. */
  onLane: (samples: number) => void
  onFailure: (error: unknown) => void
}

/**
 * Limit of the work that is queued in the engine, in seconds: enough that the engine never waits for its next lane. When a round is abandoned,
 * at most this much and the lane in progress are computed in vain.
 */
const AHEAD_SECONDS = 0.1

/** Feeds the lanes of a deal to the engine, a little ahead of it, and hands the sums of their gradients to the uploader. */
export class LaneFeeder {
  readonly #parts: LaneFeederParts
  #inEngine = 0
  /** Time when the engine finished its last lane, in seconds. */
  #computedAt = 0
  /** Seconds that the last lane took. Its initial value makes lanes go to the engine one by one until a time is known. */
  #laneSeconds = AHEAD_SECONDS

  constructor(parts: LaneFeederParts) {
    this.#parts = parts
  }

  /** Number of lanes that were pushed to the engine and are not computed yet. */
  get inEngine(): number {
    return this.#inEngine
  }

  /** Computes the lanes of a job. Settles when they are computed, or as soon as possible once the job is abandoned; uploads may go on. */
  async train(job: Job): Promise<void> {
    const { compute, input, schedule, uploader, now } = this.#parts
    const { deal, walk } = job
    // Starts decoding the images of the most likely next work: the same lanes of the next step.
    const lookAhead = (): void => (deal.attempt === 0 ? input.prefetch(schedule.next(deal), deal.units) : undefined)
    const inEngine: Promise<void>[] = []
    while (!job.abandoned) {
      // The next action is chosen as late as possible, since lanes can be released meanwhile.
      const room = Math.max(1, Math.floor(AHEAD_SECONDS / this.#laneSeconds))
      if (inEngine.length >= room) {
        await inEngine.shift()
        continue
      }
      const next = walk.next()
      if (next === undefined) break
      if (next.type === 'push') {
        const prepared = await this.#prepared(deal, next.lane)
        this.#inEngine++
        const pushed = now()
        const ended = compute.push(prepared, next.node).then((stretch) => this.#report(deal, next.lane, pushed, stretch))
        ended.catch(() => undefined)
        inEngine.push(ended)
        // Decoding ahead starts while the last lane is computed, not afterwards, when everybody else waits for the lane's gradient.
        if (walk.left === 0) lookAhead()
      } else if (next.type === 'add') {
        compute.add(next.node)
      } else {
        const asked = now()
        uploader.send(job, next.node, compute.take(), (partial) => this.#collected(deal, partial, asked)).catch(this.#parts.onFailure)
      }
    }
    lookAhead()
    await Promise.all(inEngine)
    if (job.abandoned) await compute.clear()
  }

  async #prepared(deal: Deal, lane: number): Promise<PreparedLane> {
    const { input, now, onSpan } = this.#parts
    const begin = now()
    const prepared = await input.lane(deal, lane)
    onSpan({ name: 'input wait', begin, end: now(), step: deal.step, unit: lane })
    return prepared
  }

  #report(deal: Deal, lane: number, pushed: number, { begin, end }: Stretch): void {
    const { clock, onSpan, onComputed } = this.#parts
    this.#inEngine--
    this.#laneSeconds = clock.lap()
    // Time that a lane waits for earlier lanes in the engine does not count as feeding.
    const fed = Math.max(pushed, this.#computedAt)
    if (fed < begin) onSpan({ name: 'feed', begin: fed, end: begin, step: deal.step, unit: lane })
    onSpan({ name: 'compute', begin, end, step: deal.step, unit: lane })
    this.#computedAt = end
    onComputed(deal, lane, this.#laneSeconds)
  }

  /** @param asked time when the engine was asked for the partial, in seconds */
  #collected({ step }: Deal, { lanes }: LaneSum, asked: number): void {
    const { now, onSpan, onLane } = this.#parts
    for (const { samples } of lanes) onLane(samples)
    const begin = Math.max(asked, this.#computedAt)
    const end = now()
    if (begin < end) onSpan({ name: 'collect', begin, end, step, unit: lanes[0]?.lane })
  }
}
