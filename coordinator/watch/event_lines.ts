import { sentenceOf, type EventType, type RunEvent } from '../../shared/run_folder/run_events.ts'

/** What a person is told of an event. */
export interface EventLine {
  /** Results are what the user has started the program for; the others are levels of the log. */
  kind: 'result' | 'debug' | 'info' | 'warn'
  text: string
}

/** What a terminal tells of, and how loudly; bars, plots and the folder have the rest. */
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
  reducerLost: 'warn',
  imageSkipped: 'warn',
  workerLost: 'warn',
  waiting: 'warn',
  fingerprintsDiffer: 'warn',
  gradientNotFinite: 'warn',
  lossNotFinite: 'warn',
  checkpointFailed: 'warn',
  checkpointDamaged: 'warn',
  writeFailed: 'warn',
}

/** @returns undefined where a line is not worth it */
export function lineOf(event: RunEvent): EventLine | undefined {
  // The error that such a step ends the run with says the same.
  if (event.type === 'gradientNotFinite' && event.action === 'stop') return undefined
  const kind = told[event.type]
  const text = kind === undefined ? undefined : sentenceOf(event.type, event)
  return kind === undefined || text === undefined ? undefined : { kind, text }
}
