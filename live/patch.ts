import type { RunPatch, RunView, StepPoint } from './view.ts'

/** Most points of a curve: with more, pairs of neighbours in its older half become one point. */
const MAX_STEPS = 4000
const MAX_STRIPS = 40
const MAX_EVENTS = 200

/** Applies a patch to a view, whose lists are not changed. This code runs in the coordinator and in the browser. */
export function patched(view: RunView, { newHistory = [], newSteps = [], newStrips = [], newEvents = [], ...fields }: RunPatch): RunView {
  const replaced = { ...view, ...fields }
  return {
    ...replaced,
    history: newHistory.length === 0 ? replaced.history : [...replaced.history, ...newHistory],
    ...addedTo(replaced, { newSteps, newStrips, newEvents }),
  }
}

/** The lists of a view that events make, and that have a limit. */
export type EventLists = Pick<RunView, 'steps' | 'strips' | 'events'>

/** Adds to such lists, which are not changed. */
export function addedTo({ steps, strips, events }: EventLists, { newSteps, newStrips, newEvents }: Required<Pick<RunPatch, 'newSteps' | 'newStrips' | 'newEvents'>>): EventLists {
  return {
    steps: newSteps.length === 0 ? steps : thinned([...steps, ...newSteps]),
    strips: newStrips.length === 0 ? strips : [...strips, ...newStrips].slice(-MAX_STRIPS),
    events: newEvents.length === 0 ? events : [...events, ...newEvents].slice(-MAX_EVENTS),
  }
}

/** Merges pairs of neighbours in the older half of a curve into their mean, until the curve is not too long. */
function thinned(points: StepPoint[]): StepPoint[] {
  if (points.length <= MAX_STEPS) return points
  const older = points.slice(0, MAX_STEPS / 2)
  const halved = Array.from({ length: older.length / 2 }, (_, i) => merged(older[2 * i], older[2 * i + 1]))
  return thinned([...halved, ...points.slice(MAX_STEPS / 2)])
}

/** The mean of two points, at the later step. */
function merged(first: StepPoint, second: StepPoint): StepPoint {
  const mean = (a: number, b: number): number => (a + b) / 2
  const meanOfKnown = (a: number | null, b: number | null): number | null => (a === null || b === null ? (a ?? b) : mean(a, b))
  return {
    step: second.step,
    loss: meanOfKnown(first.loss, second.loss),
    accuracy: mean(first.accuracy, second.accuracy),
    imagesPerSecond: mean(first.imagesPerSecond, second.imagesPerSecond),
    gradientNorm: meanOfKnown(first.gradientNorm, second.gradientNorm),
  }
}
