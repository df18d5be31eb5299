import type { MemberView, RunBrief } from '../../live/view.ts'

/** An example of a worker in the middle of a run. */
export function exampleMember(name: string, fields: Partial<MemberView> = {}): MemberView {
  return {
    name, engine: 'TensorFlow 2.18.1', device: 'cpu', state: 'computing', kind: 'TRAIN', owes: [0, 1], lanes: 40, images: 320, laneSeconds: 0.25,
    residentBytes: 812e6, receivedBytes: 1.25e9, sentBytes: 1.5e9, secondsIn: 20, ...fields,
  }
}

/** An example of a run in its third epoch. */
export function exampleBrief(fields: Partial<RunBrief> = {}): RunBrief {
  return {
    facts: {
      name: 'first', folder: '/runs/first', recipe: { model: 'article', imageSize: 256, batch: 64, lanes: 8, epochs: 50, seed: 0, precision: 'bf16', engine: 'native', lr: 1e-4 },
      parameters: 2_230_170, classes: ['cane', 'gatto'], trainImages: 640, testImages: 160,
      stepsPerEpoch: 10,
    },
    state: 'training',
    startedAt: '2025-01-31T09:00:00.000Z',
    progress: { epoch: 3, stepInEpoch: 4, step: 24, imagesPerSecond: 31.25, epochSecondsLeft: 12, runSecondsLeft: 7380, testing: null },
    members: [exampleMember('one'), exampleMember('two', { state: 'idle', kind: null, owes: [], laneSeconds: null })],
    lastStep: { step: 24, loss: 1.25, accuracy: 0.5, imagesPerSecond: 30, gradientNorm: 2.5 },
    lastEpoch: { epoch: 2, step: 20, skippedSteps: 0, trainLoss: 1.5, trainAccuracy: 0.4, testLoss: Number.NaN, testAccuracy: 0.45, learningRate: 1e-4, images: 640, seconds: 20, imagesPerSecond: 32, workers: 2 },
    ...fields,
  }
}
