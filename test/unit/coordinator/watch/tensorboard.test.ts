import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import sharp from 'sharp'
import type { RunEvent } from '../../../../coordinator/contract/events.ts'
import { TensorBoardRecord } from '../../../../coordinator/watch/tensorboard.ts'
import { readByTensorBoard, withoutTensorBoard } from '../../../support/tensorboard.ts'
import { temporaryFolder } from '../../shared/checkpoint/example.ts'
import { decodeEventFile, type DecodedEvent } from '../../shared/tensorboard/decode.ts'

const split = { lanes: 0.4, reduce: 0.05, optimizer: 0.03, broadcast: 0.02 }
const stepsPerEpoch = 3
const classes = ['cane', 'gatto', 'ragno']

const step = (number: number, loss: number): RunEvent => ({
  type: 'step', epoch: Math.ceil(number / stepsPerEpoch), stepInEpoch: (number - 1) % stepsPerEpoch, stepsPerEpoch, step: number,
  samples: 16, seconds: 0.5, loss, accuracy: 0.25, gradientNorm: loss * 2, split, computedBy: ['one'],
})

const epoch = (number: number, testLoss: number): RunEvent => ({
  type: 'epoch', epoch: number, epochs: 9, step: number * stepsPerEpoch, trainLoss: 1, trainAccuracy: 0.5, testLoss, testAccuracy: 0.75, learningRate: 0.125, images: 48, skippedSteps: 0, seconds: 1.5, imagesPerSecond: 32, workers: 1,
})

/** A picture as the live page gets it: WebP in base64. */
async function picture(): Promise<string> {
  return (await sharp({ create: { width: 40, height: 30, channels: 3, background: '#268' } }).webp().toBuffer()).toString('base64')
}

async function evaluated(number: number): Promise<RunEvent> {
  const image = await picture()
  return {
    type: 'evaluated', epoch: number / stepsPerEpoch, step: number, classes, confusion: [[3, 1, 0], [0, 2, 0], [0, 0, 0]],
    predictions: [
      { path: 'cane/1.jpg', truth: 'cane', predicted: 'gatto', probability: 0.5, image },
      { path: 'gatto/2.jpg', truth: 'gatto', predicted: 'gatto', probability: null, image },
    ],
  }
}

/** Records the events of one process of the run. @returns the events that the recording itself causes */
async function record(folder: string, events: readonly RunEvent[], secondsOfEpoch = 10): Promise<RunEvent[]> {
  const said: RunEvent[] = []
  let seconds = 0
  const board = new TensorBoardRecord({ folder, observe: (event) => said.push(event), now: () => seconds })
  for (const event of events) {
    if (event.type === 'evaluated') seconds += secondsOfEpoch
    board.observe(event)
  }
  await board.close()
  return said
}

/** Records a run that ended in mid-epoch after a checkpoint at step 4, and went on from there. @returns its folder */
async function interruptedRun(context: TestContext): Promise<string> {
  const folder = await temporaryFolder(context)
  const first = [step(1, 3), step(2, 2.5), step(3, Number.NaN), await evaluated(3), epoch(1, 1.5), step(4, 2), step(5, 8), step(6, 9), await evaluated(6), epoch(2, 9)]
  assert.deepEqual(await record(folder, [{ type: 'waiting' }, ...first]), [])
  const second: RunEvent[] = [{ type: 'waiting' }, { type: 'resumed', file: 'latest.ckpt', epoch: 2, step: 4, restarts: 1 }, step(5, 1.5), step(6, Number.POSITIVE_INFINITY), await evaluated(6), epoch(2, 1.25)]
  assert.deepEqual(await record(folder, second), [])
  return folder
}

async function eventsIn(folder: string): Promise<DecodedEvent[][]> {
  return (await readdir(folder)).sort().map((name) => decodeEventFile(path.join(folder, name)))
}

test('each process of a run writes a file of its own; one that goes on says from where', async (context) => {
  const [first, second] = await eventsIn(await interruptedRun(context))
  assert.equal(first[0].fileVersion, 'brain.Event:2')
  assert.equal(second[0].fileVersion, 'brain.Event:2')
  assert.deepEqual([first, second].map((events) => events.filter(({ restart }) => restart).map((event) => event.step)), [[1], [5]])
  assert.deepEqual(first[2].scalars, { 'train/loss': 3, 'train/accuracy': 0.25, 'train/images_per_second': 32, 'train/gradient_norm': 6 })
})

test('TensorBoard finds the scalars, the pictures, and of what was computed twice the later', { skip: withoutTensorBoard }, async (context) => {
  const folder = await interruptedRun(context)
  const found = await readByTensorBoard(folder)
  assert.deepEqual(found.scalars, {
    'train/loss': [[1, 3], [2, 2.5], [3, 'nan'], [4, 2], [5, 1.5], [6, 'inf']],
    'train/accuracy': [1, 2, 3, 4, 5, 6].map((at) => [at, 0.25]),
    'train/images_per_second': [1, 2, 3, 4, 5, 6].map((at) => [at, 32]),
    'train/gradient_norm': [[1, 6], [2, 5], [3, 'nan'], [4, 4], [5, 3], [6, 'inf']],
    'class/cane': [[3, 0.75], [6, 0.75]],
    'class/gatto': [[3, 1], [6, 1]],
    'epoch/train_loss': [[3, 1], [6, 1]],
    'epoch/test_loss': [[3, 1.5], [6, 1.25]],
    'epoch/train_accuracy': [[3, 0.5], [6, 0.5]],
    'epoch/test_accuracy': [[3, 0.75], [6, 0.75]],
    learning_rate: [[3, 0.125], [6, 0.125]],
  })
  assert.deepEqual(Object.keys(found.images), ['test/predictions'])
  assert.deepEqual(found.images['test/predictions'].map(([at]) => at), [3, 6])
  for (const [, width, height, hex] of found.images['test/predictions']) {
    const { format, ...size } = await sharp(Buffer.from(hex, 'hex')).metadata()
    assert.equal(format, 'jpeg')
    assert.deepEqual([width, height], [size.width, size.height])
    assert.ok(width > 600 && height > 300, `two pictures side by side, ${width}x${height}`)
  }
  assert.deepEqual(found.page['train/loss'], ['scalars', [1, 2, 3, 4, 5, 6]])
  assert.deepEqual(found.page['test/predictions'], ['images', [3, 6]])
})

test('short epochs do not each get a picture, but the first and the last do', { skip: withoutTensorBoard }, async (context) => {
  const folder = await temporaryFolder(context)
  assert.deepEqual(await record(folder, [await evaluated(3), epoch(1, 1), await evaluated(6), epoch(2, 1), await evaluated(9), epoch(3, 1)], 3), [])
  const { images, scalars } = await readByTensorBoard(folder)
  assert.deepEqual(images['test/predictions'].map(([at]) => at), [3, 9])
  assert.deepEqual(scalars['class/cane'].map(([at]) => at), [3, 6, 9])
})

test('a folder that cannot be written is told of once, and ends nothing', async (context) => {
  const folder = path.join(await temporaryFolder(context), 'not', 'there')
  const said = await record(folder, [step(1, 3), epoch(1, 1), step(2, 2), epoch(1, 1)])
  assert.equal(said.length, 1)
  assert.ok(said[0].type === 'writeFailed' && said[0].reason.includes(`${folder}/events.out.tfevents`) && /cannot be written: ENOENT/.test(said[0].reason), JSON.stringify(said))
})

test('a picture that cannot be read ends nothing', async (context) => {
  const folder = await temporaryFolder(context)
  const broken = { ...(await evaluated(3)), predictions: [{ path: 'x', truth: 'cane', predicted: 'cane', probability: 1, image: 'AAAA' }] } as RunEvent
  const said = await record(folder, [broken, step(4, 1)])
  assert.ok(said.length === 1 && said[0].type === 'writeFailed' && /cannot be drawn/.test(said[0].reason), JSON.stringify(said))
  assert.equal((await eventsIn(folder))[0].at(-1)?.step, 4)
})
