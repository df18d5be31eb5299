import { describeEvent } from '../../live/event_text.ts'
import { patched } from '../../live/patch.ts'
import type { RunBrief, RunFacts, RunPatch, RunProgress, RunState, RunView, StepPoint } from '../../live/view.ts'
import { type EvaluationView, historyLineSchema, type HistoryLine, type Summary } from '../../shared/run_folder/schemas.ts'
import type { ClusterStatus } from '../contract/cluster.ts'
import { isFrequent, isLarge, type Observer, type RunEvent } from '../contract/events.ts'
import { knownRecipe } from '../../shared/recipe/stored.ts'

export interface LiveViewParts {
  facts: RunFacts
  /** Completed epochs of a resumed run, oldest first; empty for a new run. */
  history: HistoryLine[]
  /** Last evaluation in the run's folder; null if there is none. */
  evaluation: EvaluationView | null
  /** Position at which this process begins or resumes the run. */
  at: { epoch: number; stepInEpoch: number; step: number }
  status: () => ClusterStatus | undefined
  now: () => Date
}

/** Number of last steps over which the displayed speed is averaged. */
const SPEED_STEPS = 20

/**
 * The state of a running training run for the live page and `herd top`: folds events into a `RunView` and sends listeners patches
 * of it. There may be a hundred steps a second, so events accumulate until `flush`, which is called a few times a second.
 */
export class LiveView {
  readonly #parts: LiveViewParts
  readonly #listeners = new Set<(patch: RunPatch) => void>()
  readonly #lastSteps: { samples: number; seconds: number }[] = []
  #view: RunView
  #pending: Required<Pick<RunPatch, 'newSteps' | 'newStrips' | 'newHistory' | 'newEvents'>> & RunPatch = nothing()
  #at: Pick<RunProgress, 'epoch' | 'stepInEpoch' | 'step'>
  #state: RunState = 'waiting'
  #testing: RunProgress['testing'] = null
  #lastStep: StepPoint | null = null
  /** Duration in seconds of the last evaluation that training waited for. */
  #evaluationSeconds = 0
  /** Start of the last evaluation, in seconds since 1970; undefined if training does not wait for it. */
  #evaluatingSince: number | undefined

  constructor(parts: LiveViewParts) {
    const { facts, history, evaluation, at, now } = parts
    this.#parts = parts
    this.#at = { epoch: at.epoch, stepInEpoch: at.stepInEpoch, step: at.step }
    this.#view = {
      facts, history, evaluation, state: this.#state, startedAt: now().toISOString(), progress: this.#progress(), steps: [], members: [], strips: [], events: [], summary: null,
    }
  }

  get view(): RunView {
    return this.#view
  }

  get brief(): RunBrief {
    const { facts, state, startedAt, progress, members, history } = this.#view
    return { facts, state, startedAt, progress, members, lastStep: this.#lastStep, lastEpoch: history.at(-1) ?? null }
  }

  /** Sends every patch from now on to the listener. @returns a function that ends the subscription */
  subscribe(listener: (patch: RunPatch) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly observe: Observer = (event) => {
    this.#follow(event)
    if (isFrequent(event) || isLarge(event) || event.type === 'epoch') return
    const { type, ...fields } = event
    this.#pending.newEvents.push({ time: this.#parts.now().toISOString(), kind: type, ...describeEvent(type, fields) })
  }

  /** Adds the summary of the finished run, and flushes. */
  finish(summary: Summary): void {
    this.#pending.summary = summary
    this.flush()
  }

  /** Applies everything since the last flush to the view, and sends it to the listeners as one patch. */
  flush(): void {
    const status = this.#parts.status()
    // Training waits for the evaluation that ran beside the next epoch once all steps of that epoch are done.
    const waitsForTest = this.#testing !== null && this.#at.stepInEpoch >= this.#parts.facts.stepsPerEpoch
    const state = this.#state === 'training' && waitsForTest ? 'evaluating' : this.#state
    const waiting = status?.waiting === true && (state === 'training' || state === 'evaluating')
    const patch: RunPatch = { ...this.#pending, state: waiting ? 'waiting' : state, progress: this.#progress(), members: status?.members ?? [] }
    this.#pending = nothing()
    this.#view = patched(this.#view, patch)
    for (const listener of this.#listeners) listener(patch)
  }

  #follow(event: RunEvent): void {
    const seconds = this.#parts.now().getTime() / 1000
    switch (event.type) {
      case 'step':
        this.#state = 'training'
        this.#at = { epoch: event.epoch, stepInEpoch: event.stepInEpoch + 1, step: event.step }
        this.#lastSteps.push({ samples: event.samples, seconds: event.seconds })
        if (this.#lastSteps.length > SPEED_STEPS) this.#lastSteps.shift()
        this.#lastStep = { step: event.step, loss: finite(event.loss), accuracy: event.accuracy, imagesPerSecond: event.samples / event.seconds, gradientNorm: finite(event.gradientNorm) }
        this.#pending.newSteps.push(this.#lastStep)
        this.#pending.newStrips.push({ step: event.step, computedBy: event.computedBy })
        break
      case 'gradientNotFinite':
        if (event.action === 'skip') this.#at = { ...this.#at, stepInEpoch: this.#at.stepInEpoch + 1, step: event.step }
        break
      case 'evaluating':
        this.#testing = null
        this.#evaluatingSince = event.beside ? undefined : seconds
        if (event.beside) this.#at = { ...this.#at, epoch: event.epoch + 1, stepInEpoch: 0 }
        else this.#state = 'evaluating'
        break
      case 'testing':
        this.#testing = { done: event.done, total: event.total }
        break
      case 'evaluated':
        this.#pending.evaluation = { epoch: event.epoch, classes: event.classes, confusion: event.confusion, ...(event.cells === undefined ? {} : { cells: event.cells }), predictions: event.predictions }
        break
      case 'epoch': {
        this.#state = 'training'
        this.#testing = null
        if (this.#evaluatingSince !== undefined) this.#evaluationSeconds = seconds - this.#evaluatingSince
        this.#pending.newHistory.push(historyLineSchema.parse(event))
        // The next epoch may have begun already, if this one was evaluated beside training.
        if (event.epoch < event.epochs && event.epoch === this.#at.epoch) this.#at = { ...this.#at, epoch: event.epoch + 1, stepInEpoch: 0 }
        break
      }
      case 'finished':
      case 'stopped':
      case 'failed':
        this.#state = event.type
        break
      default:
    }
  }

  #progress(): RunProgress {
    const { stepsPerEpoch, recipe } = this.#parts.facts
    const { epochs = 0 } = knownRecipe(recipe)
    const { epoch, stepInEpoch } = this.#at
    const seconds = this.#lastSteps.reduce((sum, step) => sum + step.seconds, 0)
    const samples = this.#lastSteps.reduce((sum, step) => sum + step.samples, 0)
    const known = this.#lastSteps.length > 0 && seconds > 0
    const stepSeconds = seconds / this.#lastSteps.length
    const over = this.#state === 'finished'
    const epochLeft = over ? 0 : (stepsPerEpoch - stepInEpoch) * stepSeconds
    return {
      ...this.#at,
      imagesPerSecond: known ? samples / seconds : null,
      epochSecondsLeft: known ? epochLeft : null,
      runSecondsLeft: known ? (over ? 0 : epochLeft + (epochs - epoch) * stepsPerEpoch * stepSeconds + (epochs - epoch + 1) * this.#evaluationSeconds) : null,
      testing: this.#testing,
    }
  }
}

function nothing(): Required<Pick<RunPatch, 'newSteps' | 'newStrips' | 'newHistory' | 'newEvents'>> {
  return { newSteps: [], newStrips: [], newHistory: [], newEvents: [] }
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null
}
