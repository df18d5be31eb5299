import { messageOf, RunError } from '../../shared/kit/errors.ts'
import type { CheckpointFolder } from '../../shared/run_folder/checkpoint_folder.ts'
import type { OptimizerState } from '../../shared/optim/optimizer.ts'
import type { CheckpointFacts } from './checkpoint_position.ts'
import type { Observer } from '../contract/events.ts'
import type { Weights } from '../exchange/reduction.ts'
import type { HeldState, Progress } from '../contract/progress.ts'

export interface CheckpointerParts {
  folder: Pick<CheckpointFolder, 'save' | 'latest' | 'ofEpoch' | 'ofStep'>
  weights: Pick<Weights, 'snapshot'>
  factsOf: (progress: Progress) => CheckpointFacts
  /** Time between two checkpoints in seconds; 0 means none within an epoch. */
  everySeconds: number
  /** Seconds on a monotonic clock. */
  now: () => number
  observe: Observer
}

/** Pause after a failed save before the next attempt; it doubles with each further failure. */
const FIRST_PAUSE_SECONDS = 1
const LONGEST_PAUSE_SECONDS = 300

/**
 * Saves a run's checkpoints, one at a time. A save that fails (disk full, folder gone) is reported and tried again; it
 * does not end training, whose state is safe in memory. Only the last save of a run must succeed.
 */
export class Checkpointer {
  readonly #parts: CheckpointerParts
  #saving: Promise<void> | undefined
  #dueAt: number
  #failures = 0
  #lastFailure = ''
  /** Step of the newest checkpoint on disk; undefined before the first one of this process. */
  #savedStep: number | undefined

  constructor(parts: CheckpointerParts) {
    this.#parts = parts
    this.#dueAt = parts.now() + this.#everySeconds
  }

  /** True if it is time to save and no save is in progress. */
  get isDue(): boolean {
    return this.#saving === undefined && this.#parts.now() >= this.#dueAt
  }

  /**
   * Begins a save if one is due. To be called between two steps: the state is copied, so training continues while it is written.
   * No other save begins meanwhile.
   */
  offer(progress: Progress): void {
    if (this.isDue) void this.save(progress, { keep: false })
  }

  /** Copies weights and moments. To be called between two steps. */
  hold(): HeldState {
    const state = this.#parts.weights.snapshot()
    // The promise may be awaited only after it has failed: until then, its rejection would count as unhandled.
    state.catch(() => undefined)
    return { state, since: this.#parts.now() }
  }

  /**
   * Saves as soon as no other save is in progress. A failure is reported, and the save is tried again later.
   * @param keep true to keep the checkpoint under the name of its epoch
   * @param best true to keep it as the best one
   * @param held snapshot to save, whose time then decides when the next save is due; undefined saves the current state
   */
  async save(progress: Progress, { keep, best = false, held }: { keep: boolean; best?: boolean; held?: HeldState | undefined }): Promise<void> {
    const facts = this.#parts.factsOf(progress)
    const { state } = held ?? this.hold()
    const saving = this.idle().then(() => this.#write(facts, state, { keep, best })).then((saved) => {
      if (saved) this.#dueAt = (held?.since ?? this.#parts.now()) + this.#everySeconds
    })
    this.#saving = saving
    try {
      await saving
    } finally {
      if (this.#saving === saving) this.#saving = undefined
    }
  }

  /**
   * Saves the state before a run's first step.
   * @throws RunError if it cannot be saved: later ones could not either, and nothing is lost yet; the error of the weights if they are gone
   */
  async saveFirst(progress: Progress): Promise<void> {
    const held = this.hold()
    await held.state
    await this.save(progress, { keep: false, held })
    if (this.#failures > 0) throw new RunError(`no checkpoint of the run can be saved: ${this.#lastFailure}\nNothing is lost yet: make room, or choose a folder with --out that can be written.`)
  }

  /**
   * Makes sure that a run's last state is on disk.
   * @param held that state, if it is not the current one
   * @throws RunError if it cannot be saved
   */
  async saveLast(progress: Progress, { keep, held }: { keep: boolean; held?: HeldState | undefined }): Promise<void> {
    await this.idle()
    if (this.#failures > 0 || this.#savedStep !== progress.at.step) await this.save(progress, { keep, held })
    if (this.#failures === 0) return
    const before = this.#savedStep === undefined ? 'There is no earlier checkpoint of this process' : `The newest checkpoint is that of step ${this.#savedStep}`
    throw new RunError(`the run's last state, of step ${progress.at.step}, could not be saved: ${this.#lastFailure}\n${before}: make room, then go on from there with --resume latest.`)
  }

  /** Settles when no save is in progress. */
  async idle(): Promise<void> {
    await this.#saving
  }

  /** Writes one checkpoint. @returns true if it is on disk */
  async #write(facts: CheckpointFacts, state: Promise<OptimizerState>, { keep, best }: { keep: boolean; best: boolean }): Promise<boolean> {
    const { folder, now, observe } = this.#parts
    const { epoch, stepInEpoch, step } = facts.position
    const begin = now()
    let bytes: number
    try {
      bytes = await folder.save({ ...facts, ...(await state) }, { keep, best })
    } catch (error) {
      // No error here is a reason to end a training of days.
      const pause = Math.min(FIRST_PAUSE_SECONDS * 2 ** this.#failures, LONGEST_PAUSE_SECONDS)
      this.#failures++
      this.#lastFailure = messageOf(error)
      this.#dueAt = now() + pause
      observe({ type: 'checkpointFailed', file: keep ? folder.ofEpoch(epoch) : folder.ofStep(step), epoch, step, reason: this.#lastFailure, retrySeconds: pause })
      return false
    }
    this.#failures = 0
    this.#savedStep = step
    observe({ type: 'checkpoint', file: folder.latest, epoch, stepInEpoch, step, bytes, seconds: now() - begin })
    return true
  }

  get #everySeconds(): number {
    return this.#parts.everySeconds || Number.POSITIVE_INFINITY
  }
}
