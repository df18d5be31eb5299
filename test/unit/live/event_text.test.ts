import assert from 'node:assert/strict'
import test from 'node:test'
import { lineOf } from '../../../coordinator/watch/event_lines.ts'
import type { RunEvent } from '../../../coordinator/contract/events.ts'
import { describeEvent } from '../../../live/event_text.ts'

/** One example of each type of event that a coordinator records, with its level and text. The compiler reports a type that is missing. */
const examples: { [T in RunEvent['type']]: [fields: Omit<Extract<RunEvent, { type: T }>, 'type'>, level: 'info' | 'warning', text: string] } = {
  started: [{ runId: '/runs/first', images: 100, testImages: 20, classes: ['cane', 'gatto'], parameters: 7 }, 'info', 'Training on 100 images of 2 classes, testing on 20; 7 parameters.'],
  listening: [{ address: '127.0.0.1:7070' }, 'info', 'Waiting for workers at 127.0.0.1:7070'],
  waitingForReducers: [{ address: '127.0.0.1:7070', reducers: 2 }, 'info', 'Waiting for 2 reducers at 127.0.0.1:7070'],
  reducerJoined: [{ reducer: 1, address: '127.0.0.1:7071', begin: 0, end: 10 }, 'info', 'Reducer 1 joined at 127.0.0.1:7071; it owns parameters 0 to 9.'],
  reducerLost: [{ reducer: 1, reason: 'the connection broke' }, 'warning', 'Reducer 1 is lost: the connection broke.'],
  resumed: [{ file: 'latest.ckpt', epoch: 3, step: 40, restarts: 1 }, 'info', 'Going on from latest.ckpt: epoch 3, step 40.'],
  imageSkipped: [{ path: 'cane/1.jpg', reason: 'it is empty.' }, 'warning', 'Image cane/1.jpg is left out: it is empty.'],
  workerJoined: [{ worker: 'a', workers: 2, engine: 'tf', device: 'cpu', fingerprint: '1', sharesMemory: true }, 'info', 'Worker a joined (tf, cpu); 2 in.'],
  workerLost: [{ worker: 'a', workers: 1, reason: 'the connection broke' }, 'warning', 'Worker a is lost: the connection broke; 1 left.'],
  uploadUnfinished: [{ worker: 'a', step: 4, lanes: [2, 3] }, 'info', 'Worker a left in the middle of its upload of lanes 2, 3 of step 5; what had come of it counts.'],
  workerLied: [{ identity: 'a', step: 4, lanes: [2, 3], digest: '00', truth: '11', witnesses: ['b', 'c'], counted: true }, 'warning', 'A is put out of the run: lanes 2, 3 of step 5 came from it as 00, where b and c have 11.'],
  disputed: [{ step: 4, lanes: [2], between: ['a', 'b'] }, 'warning', 'A and b do not agree on lane 2 of step 5; a third worker is to decide.'],
  checkWaiting: [{ step: 4, lanes: [2], worker: 'a' }, 'warning', 'Lane 2 of step 5, from a, must be checked: waiting for a worker of another identity.'],
  checked: [{ step: 4, lanes: [2], worker: 'a', result: 'confirmed' }, 'info', 'Check of lane 2 of step 5, from a: confirmed.'],
  workerLeft: [{ worker: 'a', workers: 0 }, 'info', 'Worker a has left; 0 in.'],
  waiting: [{}, 'warning', 'No worker is left; waiting for one to join.'],
  goingOn: [{ workers: 1, waitedSeconds: 12.34 }, 'info', 'Going on after 12 s of waiting.'],
  dealt: [{ worker: 'a', kind: 'EVALUATE', units: [1, 2] }, 'info', 'Blocks 1, 2 dealt to a.'],
  dealtAgain: [{ kind: 'TRAIN', worker: 'b', step: 4, units: [3], attempt: 2 }, 'info', 'Lane 3 of step 5 is dealt again, to b.'],
  takenOver: [{ kind: 'TRAIN', worker: 'b', step: 4, units: [3, 4], attempt: 2 }, 'info', 'Lanes 3, 4 of step 5 are taken over by b, which is expected to be sooner.'],
  dropped: [{ worker: 'a', units: 1, reason: 'it is late' }, 'info', 'A result of a is dropped: it is late.'],
  fingerprintsDiffer: [{ worker: 'b', difference: 'it computes other bits than a (numerics fingerprints 2 and 1)', fingerprints: { a: '1', b: '2' } }, 'warning', 'Worker b: it computes other bits than a (numerics fingerprints 2 and 1): the result depends on who computes what.'],
  step: [
    { epoch: 1, stepInEpoch: 0, stepsPerEpoch: 2, step: 1, samples: 4, seconds: 0.5, loss: NaN, accuracy: 0, gradientNorm: 1, split: { lanes: 0, reduce: 0, optimizer: 0, broadcast: 0 }, computedBy: [] },
    'info', 'Step 1 of epoch 1: loss NaN, 0.50 s.',
  ],
  gradientNotFinite: [{ epoch: 1, step: 2, lanes: [0, 1], parameter: 'conv1.weight', action: 'skip' }, 'warning', 'Step 2 is left out: the gradient of lanes 0, 1 is not finite, first in conv1.weight.'],
  lossNotFinite: [{ epoch: 1, step: 2, lanes: [1] }, 'warning', 'The loss of step 2 is not finite (lane 1); its gradient is, and training goes on.'],
  testing: [{ done: 3, total: 8 }, 'info', '3 of 8 blocks of the test set done.'],
  evaluated: [{ epoch: 2, step: 8, classes: ['cane', 'gatto'], confusion: [[1, 0], [0, 1]], predictions: [] }, 'info', 'The evaluation after epoch 2 is in.'],
  evaluating: [{ epoch: 2, beside: true }, 'info', 'Testing after epoch 2.'],
  epoch: [
    { epoch: 1, epochs: 2, step: 4, trainLoss: 2.5, trainAccuracy: 0.25, testLoss: Infinity, testAccuracy: 0.5, learningRate: 1, images: 1, skippedSteps: 0, seconds: 1, imagesPerSecond: 1, workers: 1 },
    'info', 'Epoch 1/2  train loss 2.5000 accuracy 25.0 %  test loss Infinity accuracy 50.0 %  1.0 images/s  1 s',
  ],
  checkpoint: [{ file: 'latest.ckpt', epoch: 1, stepInEpoch: 1, step: 9, bytes: 1, seconds: 1 }, 'info', 'Saved step 9 (epoch 1).'],
  checkpointFailed: [{ file: 'latest.ckpt', epoch: 1, step: 9, reason: 'the disk is full.', retrySeconds: 30 }, 'warning', 'Step 9 cannot be saved: the disk is full. Training goes on; the next try is in 30 s.'],
  checkpointDamaged: [{ file: 'latest.ckpt', reason: 'latest.ckpt is empty.' }, 'warning', 'Passed over: latest.ckpt is empty.'],
  writeFailed: [{ file: 'history.jsonl', reason: 'history.jsonl cannot be written.' }, 'warning', 'Not written: history.jsonl cannot be written. Training goes on; this is said once.'],
  repaired: [{ what: 'cut 3 bytes' }, 'info', 'After the crash of an earlier process: cut 3 bytes.'],
  stopped: [{ signal: 'SIGINT' }, 'warning', 'The run was stopped by SIGINT; a checkpoint is saved.'],
  failed: [{ reason: 'all workers have ended.' }, 'warning', 'The run failed: all workers have ended.'],
  finished: [{ digest: '0', epochs: 1, seconds: 9.6 }, 'info', 'The run has finished: 1 epoch, 10 s of training.'],
}

/** Types of events that a terminal shows, with their levels. */
const told: Partial<Record<RunEvent['type'], string>> = {
  started: 'result', resumed: 'result', epoch: 'result',
  listening: 'info', waitingForReducers: 'info', reducerJoined: 'info', workerJoined: 'info', workerLeft: 'info', uploadUnfinished: 'info', goingOn: 'info', dealtAgain: 'info', repaired: 'info',
  takenOver: 'debug', dropped: 'debug', checkpoint: 'debug',
  workerLied: 'warn', disputed: 'warn', checkWaiting: 'warn', checked: 'debug', reducerLost: 'warn', imageSkipped: 'warn', workerLost: 'warn', waiting: 'warn', fingerprintsDiffer: 'warn', gradientNotFinite: 'warn', lossNotFinite: 'warn', checkpointFailed: 'warn',
  checkpointDamaged: 'warn', writeFailed: 'warn',
}

for (const [kind, [fields, , text]] of Object.entries(examples)) {
  test(`${kind} is told on a terminal in the page's words, or not at all`, () => {
    const line = lineOf({ type: kind, ...fields } as RunEvent)
    assert.equal(line?.kind, told[kind as RunEvent['type']])
    assert.ok(line === undefined || line.text === text || line.text === `${text[0].toLowerCase()}${text.slice(1)}`, line?.text)
  })
}

test('a terminal leaves it to the error of a run that ends at a gradient that is not finite', () => {
  assert.equal(lineOf({ type: 'gradientNotFinite', epoch: 1, step: 2, lanes: [0], parameter: 'conv1.weight', action: 'stop' }), undefined)
})

test('blocks of the test set that are dealt again or taken over are not told as lanes of a step; a line without a kind is of lanes', () => {
  const deal = { worker: 'b', step: 4, units: [3, 4], attempt: 1 }
  assert.equal(describeEvent('dealtAgain', { kind: 'EVALUATE', ...deal, units: [3] }).text, 'Block 3 of the test set is dealt again, to b.')
  assert.equal(describeEvent('takenOver', { kind: 'EVALUATE', ...deal }).text, 'Blocks 3, 4 of the test set are taken over by b, which is expected to be sooner.')
  assert.equal(describeEvent('dealtAgain', deal).text, 'Lanes 3, 4 of step 5 are dealt again, to b.')
})

for (const [kind, [fields, level, text]] of Object.entries(examples)) {
  test(`${kind} in words`, () => {
    assert.deepEqual(describeEvent(kind, fields), { level, text })
  })
}

test('a line of events.jsonl has no NaN, and fields of its own', () => {
  assert.deepEqual(describeEvent('step', JSON.parse(JSON.stringify({ time: '2026-01-01', event: 'step', epoch: 1, step: 2, loss: NaN, seconds: 1 })) as Record<string, unknown>), { level: 'info', text: 'Step 2 of epoch 1: loss NaN, 1.00 s.' })
})

test('where all lanes are finite, it is their sum that is not; a run that stops for it says so', () => {
  assert.equal(describeEvent('gradientNotFinite', { step: 2, lanes: [], parameter: 'conv1.weight', action: 'stop' }).text, 'Step 2 ends the run: the gradient of the sum of all lanes is not finite, first in conv1.weight.')
})

test('what is not known, or not as expected, is called by its name', () => {
  for (const [kind, fields] of [['comet', { tail: 1 }], ['workerLost', { worker: 5 }], ['toString', {}], ['__proto__', {}]] as const) {
    assert.deepEqual(describeEvent(kind, fields), { level: 'info', text: kind })
  }
})
