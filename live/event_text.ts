import { sentenceOf, type EventType } from '../shared/run_folder/run_events.ts'
import type { EventView } from './view.ts'

/** Types of events that a viewer should not overlook. */
const warnings: ReadonlySet<string> = new Set<EventType>([
  'reducerLost', 'workerLied', 'disputed', 'checkWaiting', 'imageSkipped', 'workerLost', 'waiting', 'fingerprintsDiffer', 'gradientNotFinite', 'lossNotFinite', 'checkpointFailed', 'checkpointDamaged', 'writeFailed', 'stopped', 'failed',
])

/**
 * The level and text with which the page shows an event, live or from a line of events.jsonl. An event of another version of Herd
 * that this one does not know is shown by the name of its type.
 */
export function describeEvent(type: string, fields: Readonly<Record<string, unknown>>): Pick<EventView, 'level' | 'text'> {
  const sentence = sentenceOf(type, fields)
  if (sentence === undefined) return { level: 'info', text: type }
  return { level: warnings.has(type) ? 'warning' : 'info', text: `${sentence[0].toUpperCase()}${sentence.slice(1)}` }
}
