import { sentenceOf, type EventType } from '../shared/run_folder/run_events.ts'
import type { EventView } from './view.ts'

/** What somebody who looks at the run should not overlook. */
const warnings: ReadonlySet<string> = new Set<EventType>([
  'reducerLost', 'imageSkipped', 'workerLost', 'waiting', 'fingerprintsDiffer', 'gradientNotFinite', 'lossNotFinite', 'checkpointFailed', 'checkpointDamaged', 'writeFailed', 'stopped', 'failed',
])

/**
 * An event as the page shows it, live or as a line of events.jsonl has it. What a newer or older Herd noted and this one does not
 * know is called by its name.
 */
export function describeEvent(type: string, fields: Readonly<Record<string, unknown>>): Pick<EventView, 'level' | 'text'> {
  const sentence = sentenceOf(type, fields)
  if (sentence === undefined) return { level: 'info', text: type }
  return { level: warnings.has(type) ? 'warning' : 'info', text: `${sentence[0].toUpperCase()}${sentence.slice(1)}` }
}
