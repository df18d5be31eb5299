import { sentenceOf, type EventType, type RunEvent } from '../../shared/run_folder/run_events.ts'

/** The line that the terminal shows for an event. */
export interface EventLine {
  /** Output of the program (`result`), or a level of the log. */
  kind: 'result' | 'debug' | 'info' | 'warn'
  text: string
}

/** Events that the terminal shows as lines, and how. Other events show only in progress bars, plots and the run's folder. */
const told: Partial<Record<EventType, EventLine['kind']>> = {
  started: 'result',
  resumed: 'result',
  epoch: 'result',
  listening: 'info',
  waitingForReducers: 'info',
  reducerJoined: 'info',
  workerJoined: 'info',
  workerLeft: 'info',
  goingOn: 'info',
  dealtAgain: 'info',
  repaired: 'info',
  takenOver: 'debug',
  dropped: 'debug',
  checkpoint: 'debug',
  checked: 'debug',
  workerLied: 'warn',
  disputed: 'warn',
  checkWaiting: 'warn',
  reducerLost: 'warn',
  imageSkipped: 'warn',
  workerLost: 'warn',
  uploadUnfinished: 'info',
  waiting: 'warn',
  fingerprintsDiffer: 'warn',
  gradientNotFinite: 'warn',
  lossNotFinite: 'warn',
  checkpointFailed: 'warn',
  checkpointDamaged: 'warn',
  writeFailed: 'warn',
}

/** @returns undefined for events that the terminal does not show as lines */
export function lineOf(event: RunEvent): EventLine | undefined {
  // The error that ends the run at such a step says the same.
  if (event.type === 'gradientNotFinite' && event.action === 'stop') return undefined
  const kind = told[event.type]
  const text = kind === undefined ? undefined : sentenceOf(event.type, event)
  return kind === undefined || text === undefined ? undefined : { kind, text }
}
