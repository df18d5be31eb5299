import type { ShownPrediction } from '../../shared/run_folder/schemas.ts'
import type { StepSplit } from './step_split.ts'

/** What happens in a run. Observers (events.jsonl, metrics, the terminal) take what concerns them. */
export type RunEvent =
  | { type: 'started'; runId: string; images: number; testImages: number; classes: string[]; parameters: number }
  /** `restarts`: how often the run has been resumed, this time included. */
  | { type: 'resumed'; file: string; epoch: number; step: number; restarts: number }
  | { type: 'imageSkipped'; path: string; reason: string }
  | { type: 'listening'; address: string }
  | { type: 'waitingForReducers'; address: string; reducers: number }
  | { type: 'reducerJoined'; reducer: number; address: string; begin: number; end: number }
  | { type: 'reducerLost'; reducer: number; reason: string }
  | { type: 'workerJoined'; worker: string; workers: number; engine: string; device: string; fingerprint: string; sharesMemory: boolean }
  | { type: 'workerLost'; worker: string; workers: number; reason: string }
  | { type: 'workerLeft'; worker: string; workers: number }
  | { type: 'waiting' }
  | { type: 'goingOn'; workers: number; waitedSeconds: number }
  | { type: 'dealt'; worker: string; kind: 'TRAIN' | 'EVALUATE'; units: number[] }
  | { type: 'dealtAgain'; worker: string; step: number; units: number[]; attempt: number }
  | { type: 'takenOver'; worker: string; step: number; units: number[]; attempt: number }
  | { type: 'dropped'; worker: string; units: number; reason: string }
  | { type: 'fingerprintsDiffer'; fingerprints: Record<string, string> }
  | { type: 'step'; epoch: number; stepInEpoch: number; stepsPerEpoch: number; step: number; samples: number; seconds: number; loss: number; accuracy: number; gradientNorm: number; split: StepSplit; computedBy: string[] }
  | { type: 'gradientNotFinite'; epoch: number; step: number; lanes: number[]; parameter: string; action: 'stop' | 'skip' }
  | { type: 'lossNotFinite'; epoch: number; step: number; lanes: number[] }
  /** `beside`: while the next epoch is trained. */
  | { type: 'evaluating'; epoch: number; beside: boolean }
  /** Blocks of the test set. */
  | { type: 'testing'; done: number; total: number }
  /** What the evaluation found, in full: evaluation.json has it. */
  | { type: 'evaluated'; epoch: number; step: number; classes: string[]; confusion: number[][]; predictions: ShownPrediction[] }
  /** `step`: steps of the run at the epoch's end; by now, more may have been taken. */
  | { type: 'epoch'; epoch: number; epochs: number; step: number; trainLoss: number; trainAccuracy: number; testLoss: number; testAccuracy: number; learningRate: number; images: number; skippedSteps: number; seconds: number; imagesPerSecond: number; workers: number }
  | { type: 'checkpoint'; file: string; epoch: number; stepInEpoch: number; step: number; bytes: number; seconds: number }
  | { type: 'checkpointFailed'; file: string; epoch: number; step: number; reason: string; retrySeconds: number }
  | { type: 'checkpointDamaged'; file: string; reason: string }
  | { type: 'writeFailed'; file: string; reason: string }
  | { type: 'repaired'; what: string }
  | { type: 'stopped'; signal: string }
  | { type: 'failed'; reason: string }
  | { type: 'finished'; digest: string; epochs: number; seconds: number }

export type Observer = (event: RunEvent) => void

/** Too frequent for events.jsonl, unless --step-events asks for them: history.jsonl, the summary and the metrics have them, or their number. */
const frequent: ReadonlySet<RunEvent['type']> = new Set<RunEvent['type']>(['step', 'evaluating', 'testing', 'dealt', 'takenOver', 'dropped'])

export function isFrequent(event: RunEvent): boolean {
  return frequent.has(event.type)
}

/** Too large for events.jsonl: evaluation.json has it. */
export function isLarge(event: RunEvent): boolean {
  return event.type === 'evaluated'
}
