import type { EventType, RunEvent } from '../../shared/run_folder/run_events.ts'

export type { RunEvent }

/** Takes what happens in a run, as far as it concerns it: events.jsonl, metrics, the terminal. */
export type Observer = (event: RunEvent) => void

/** Too frequent for events.jsonl, unless --step-events asks for them: history.jsonl, the summary and the metrics have them, or their number. */
const frequent: ReadonlySet<EventType> = new Set<EventType>(['step', 'evaluating', 'testing', 'dealt', 'takenOver', 'dropped'])

export function isFrequent(event: RunEvent): boolean {
  return frequent.has(event.type)
}

/** Too large for events.jsonl: evaluation.json has it. */
export function isLarge(event: RunEvent): boolean {
  return event.type === 'evaluated'
}
