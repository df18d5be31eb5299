import type { EventType, RunEvent } from '../../shared/run_folder/run_events.ts'

export type { RunEvent }

/** Receives every event of a run and uses those that concern it: events.jsonl, metrics, the terminal. */
export type Observer = (event: RunEvent) => void

/** Events that are too frequent for events.jsonl, except with --step-events; history.jsonl, the summary and the metrics have their sums or numbers. */
const frequent: ReadonlySet<EventType> = new Set<EventType>(['step', 'evaluating', 'testing', 'dealt', 'takenOver', 'dropped', 'checked'])

export function isFrequent(event: RunEvent): boolean {
  return frequent.has(event.type)
}

/** True for events that are too large for events.jsonl; evaluation.json has their data. */
export function isLarge(event: RunEvent): boolean {
  return event.type === 'evaluated'
}
