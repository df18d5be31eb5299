/** What happens in a run. Observers (events.jsonl, metrics, the terminal) take what concerns them. */
export type RunEvent =
  | { type: 'started'; runId: string; images: number; testImages: number; classes: string[]; parameters: number }
  | { type: 'resumed'; file: string; epoch: number; step: number }
  | { type: 'imageSkipped'; path: string; reason: string }
  | { type: 'listening'; address: string }
  | { type: 'workerJoined'; worker: string; workers: number; engine: string; device: string; fingerprint: string }
  | { type: 'workerLost'; worker: string; workers: number; reason: string }
  | { type: 'workerLeft'; worker: string; workers: number }
  | { type: 'waiting' }
  | { type: 'goingOn'; workers: number; waitedSeconds: number }
  | { type: 'dealtAgain'; worker: string; step: number; units: number[]; attempt: number }
  | { type: 'takenOver'; worker: string; step: number; units: number[]; attempt: number }
  | { type: 'dropped'; worker: string; units: number; reason: string }
  | { type: 'fingerprintsDiffer'; fingerprints: Record<string, string> }
  | { type: 'step'; epoch: number; stepInEpoch: number; stepsPerEpoch: number; step: number; samples: number; seconds: number; loss: number; accuracy: number }
  | { type: 'gradientNotFinite'; epoch: number; step: number; lanes: number[]; parameter: string; action: 'stop' | 'skip' }
  | { type: 'lossNotFinite'; epoch: number; step: number; lanes: number[] }
  | { type: 'evaluating'; epoch: number }
  | { type: 'epoch'; epoch: number; epochs: number; trainLoss: number; trainAccuracy: number; testLoss: number; testAccuracy: number; learningRate: number; images: number; skippedSteps: number; seconds: number; imagesPerSecond: number; workers: number }
  | { type: 'checkpoint'; file: string; epoch: number; stepInEpoch: number; step: number }
  | { type: 'checkpointFailed'; file: string; epoch: number; step: number; reason: string; retrySeconds: number }
  | { type: 'checkpointDamaged'; file: string; reason: string }
  | { type: 'writeFailed'; file: string; reason: string }
  | { type: 'repaired'; what: string }
  | { type: 'stopped'; signal: string }
  | { type: 'finished'; digest: string; epochs: number; seconds: number }

export type Observer = (event: RunEvent) => void

/** Too frequent for events.jsonl, unless --step-events asks for them: history.jsonl, the summary and the metrics have them, or their number. */
const frequent: ReadonlySet<RunEvent['type']> = new Set<RunEvent['type']>(['step', 'evaluating', 'takenOver', 'dropped'])

export function isFrequent(event: RunEvent): boolean {
  return frequent.has(event.type)
}
