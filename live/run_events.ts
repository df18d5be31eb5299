import { z } from 'zod'
import type { EventLine } from '../shared/run_folder/schemas.ts'
import { describeEvent } from './event_text.ts'
import { addedTo, type EventLists } from './patch.ts'
import type { LaneStrip, RunView, StepPoint } from './view.ts'

/** Types of events that are not listed: they are shown as figures, curves and strips, or are too many to read. */
const NOT_IN_WORDS: ReadonlySet<string> = new Set(['step', 'dealt', 'takenOver', 'dropped', 'evaluating', 'testing', 'epoch'])
/** Types of events that tell how a process of the run began or ended. */
const TURNS: ReadonlySet<string> = new Set(['started', 'finished', 'stopped', 'failed'])
/** Most points and words that are added to the lists of a view at once: each time costs as much as the lists are long. */
const MAX_PENDING = 4000

const stepEventSchema = z.object({
  event: z.literal('step'),
  step: z.int().min(0),
  samples: z.number().min(0),
  seconds: z.number().positive(),
  loss: z.number().nullable(),
  accuracy: z.number(),
  gradientNorm: z.number().nullable().default(null),
  computedBy: z.array(z.string()).optional(),
})

const nothing = (): { newSteps: StepPoint[]; newStrips: LaneStrip[]; newEvents: RunView['events'] } => ({ newSteps: [], newStrips: [], newEvents: [] })

/** What the events of a run come to, one after the other: however many there are, this stays small. */
export class RunEvents {
  /** The last event that began a process of the run, else the first of all. */
  begun: EventLine | undefined
  /** Type of the last event that began or ended a process of the run. */
  turn: string | undefined
  /** Type of the last event. */
  last: string | undefined
  /** The last event that says how far the run is. */
  noted: EventLine | undefined
  #lists: EventLists = { steps: [], strips: [], events: [] }
  #pending = nothing()

  /** Curves, lanes of the workers (only runs with --step-events have them), and events in words. */
  get lists(): EventLists {
    this.#settle()
    return this.#lists
  }

  take(line: EventLine): void {
    const { time, event, ...fields } = line
    this.last = event
    if (this.begun === undefined || event === 'started') this.begun = line
    if (TURNS.has(event)) this.turn = event
    if (event === 'step' || event === 'checkpoint') this.noted = line
    if (event === 'resumed') this.#forgetStepsAfter(Number(fields['step']))
    if (!NOT_IN_WORDS.has(event)) this.#pending.newEvents.push({ time, kind: event, ...describeEvent(event, fields) })
    if (event === 'step') this.#takeStep(line)
    if (this.#pending.newSteps.length + this.#pending.newEvents.length >= MAX_PENDING) this.#settle()
  }

  /** Steps after the checkpoint from which a run was resumed were done again. */
  #forgetStepsAfter(resumed: number): void {
    this.#settle()
    this.#lists = { ...this.#lists, steps: this.#lists.steps.filter(({ step }) => step <= resumed) }
  }

  #takeStep(line: EventLine): void {
    const { success, data } = stepEventSchema.safeParse(line)
    if (!success) return
    const { step, samples, seconds, loss, accuracy, gradientNorm, computedBy } = data
    this.#pending.newSteps.push({ step, loss, accuracy, gradientNorm, imagesPerSecond: samples / seconds })
    if (computedBy !== undefined) this.#pending.newStrips.push({ step, computedBy })
  }

  #settle(): void {
    this.#lists = addedTo(this.#lists, this.#pending)
    this.#pending = nothing()
  }
}
