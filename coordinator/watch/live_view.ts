import { describeEvent } from '../../live/event_text.ts'
import { patched } from '../../live/patch.ts'
import type { RunBrief, RunFacts, RunPatch, RunProgress, RunState, RunView, StepPoint } from '../../live/view.ts'
import { type EvaluationView, historyLineSchema, type HistoryLine, type Summary } from '../../shared/run_folder/schemas.ts'
import type { ClusterStatus } from '../contract/cluster.ts'
import { isFrequent, isLarge, type Observer, type RunEvent } from '../contract/events.ts'
import { knownRecipe } from '../../shared/recipe/stored.ts'

export interface LiveViewParts {
  facts: RunFacts
  /** What a run that is resumed has behind it. */
  history: HistoryLine[]
  evaluation: EvaluationView | null
  at: { epoch: number; stepInEpoch: number; step: number }
  status: () => ClusterStatus | undefined
  now: () => Date
}

/** Speed is that of so many last steps. */
const SPEED_STEPS = 20

/**
 * A run as people look at it while it goes on: folds what happens into a view, and tells listeners what changed. Steps
 * may come a hundred a second; `flush`, a few times a second, gathers them.
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
  /** Seconds of the last evaluation that training waited for, and when the present one began. */
  #evaluationSeconds = 0
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

  /** @returns ends the subscription */
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

  /** How the run ended. */
  finish(summary: Summary): void {
    this.#pending.summary = summary
    this.flush()
  }

  /** Brings the view up to date and tells what changed. */
  flush(): void {
    const status = this.#parts.status()
    // An evaluation beside training is waited for when the next epoch's steps are done.
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
        this.#pending.evaluation = { epoch: event.epoch, classes: event.classes, confusion: event.confusion, predictions: event.predictions }
        break
      case 'epoch': {
        this.#state = 'training'
        this.#testing = null
        if (this.#evaluatingSince !== undefined) this.#evaluationSeconds = seconds - this.#evaluatingSince
        this.#pending.newHistory.push(historyLineSchema.parse(event))
        // The next one may have begun.
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
