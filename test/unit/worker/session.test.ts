import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { DecodedCache } from '../../../shared/data/caches/decoded_cache.ts'
import { defaultTransforms } from '../../../shared/data/transforms/transforms.ts'
import { openDataset, type OpenedDataset } from '../../../shared/data/dataset.ts'
import { initialParameters } from '../../../shared/model/initial.ts'
import { layoutOf } from '../../../shared/model/layout.ts'
import { buildNetwork } from '../../../shared/model/models.ts'
import { chunkRanges } from '../../../shared/vectors/chunks.ts'
import { LaneTree } from '../../../shared/lanes/lane_tree.ts'
import { LocalCompute } from '../../../shared/compute/local_compute.ts'
import { bytesOf } from '../../../shared/kit/floats.ts'
import type { Deal, GradientChunk, WorkerMessage } from '../../../shared/wire/messages.ts'
import type { RunDescription } from '../../../shared/wire/run_description.ts'
import { WorkSession } from '../../../worker/session.ts'
import { WeightsInbox } from '../../../worker/weights_inbox.ts'
import { unobserved } from '../../support/unobserved.ts'
import { createWorkspace, drawAnimals, type Workspace } from '../../support/workspace.ts'
import { article } from '../../../shared/recipe/presets.ts'

/** Tests of a worker's session, with wasm and real images; the test plays the coordinator at the other end of its link. */
const LANES = 8
const CHUNK = 1000
let workspace: Workspace
let images: OpenedDataset
let compute: LocalCompute
const network = buildNetwork('tiny', { imageSize: 16, classes: 10 })
const layout = layoutOf(network)
const tree = new LaneTree(LANES)

before(async () => {
  workspace = await createWorkspace()
  const folder = await drawAnimals(workspace.path('drawn'), 6)
  images = await openDataset(folder, { testFraction: 0.5, cacheFolder: workspace.path('cache'), warn: assert.fail })
  compute = await LocalCompute.start(network, { seed: 1, compress: 'none' }, { engine: 'wasm', precision: 'f32', threads: 1, numerics: 'native', gpu: undefined })
})
after(async () => {
  await compute.close()
  await workspace.remove()
})

interface Delivered {
  round: number
  node: number
  lanes: number[]
  values: Float32Array
}

interface Opened {
  session: WorkSession
  messages: WorkerMessage[]
  delivered: Delivered[]
  failures: unknown[]
  chunks: Omit<GradientChunk, 'session'>[]
  /** Waits until the session has sent so many messages of a type. */
  said: (message: WorkerMessage['message'], count?: number) => Promise<void>
  gave: (count: number) => Promise<void>
}

/**
 * Opens a session.
 * @param onMessage called with each message before the session goes on; it can send weights to the session
 * @param firstStep step whose weights the session has from the beginning
 */
function open(onMessage: (message: WorkerMessage, session: WorkSession, sendWeights: (version: number) => void) => void = () => undefined, firstStep = 0): Opened {
  const run: RunDescription = { ...article, name: 'run', network, ...defaultTransforms(network), engine: 'wasm', precision: 'f32', threads: 1, seed: 1, batch: 16, lanes: LANES, datasetDigest: images.dataset.digest, compress: 'none', compressWeights: 'none', trace: false }
  const weights = new WeightsInbox(layout.size)
  const sendWeights = (version: number): void => {
    const parameters = initialParameters(layout, 1).map((value) => value * (1 + version / 8))
    for (const { begin, end } of chunkRanges(layout.size, CHUNK)) weights.receive({ version, leftOut: false, offset: begin, data: Buffer.from(bytesOf(parameters.subarray(begin, end))) })
  }
  const opened: Omit<Opened, 'session'> & { session: WorkSession | undefined } = {
    session: undefined, messages: [], delivered: [], failures: [], chunks: [],
    said: (message, count = 1) => until(() => opened.messages.filter((each) => each.message === message).length >= count, opened.failures),
    gave: (count) => until(() => opened.delivered.length >= count, opened.failures),
  }
  const session = new WorkSession({
    link: {
      send: (message) => {
        opened.messages.push(message)
        onMessage(message, session, sendWeights)
      },
      sendGradient: (chunk) => {
        opened.chunks.push({ ...chunk, data: Buffer.from(chunk.data) })
        if (chunk.lanes.length > 0) opened.delivered.push(assembled(opened.chunks))
        return Promise.resolve()
      },
    },
    run, samples: images.dataset.samples, source: images.source, decoded: new DecodedCache(0), compute, weights,
    observer: unobserved,
    onFailure: (error) => opened.failures.push(error),
    now: () => performance.now() / 1000,
    chunkFloats: CHUNK,
  })
  sendWeights(firstStep)
  return Object.assign(opened, { session })
}

/** Assembles the partial sum whose last chunk has just come. */
function assembled(chunks: Omit<GradientChunk, 'session'>[]): Delivered {
  const own = chunks.slice(chunks.findLastIndex((chunk) => chunk.offset === 0))
  const { round, node, lanes } = own[own.length - 1]
  assert.ok(own.every((chunk) => chunk.round === round && chunk.node === node))
  const bytes = Buffer.concat(own.map((chunk) => chunk.data))
  assert.equal(bytes.length, layout.size * 4)
  return { round, node, lanes: lanes.map(({ lane }) => lane), values: new Float32Array(new Uint8Array(bytes).buffer) }
}

async function until(done: () => boolean, failures: unknown[]): Promise<void> {
  while (!done()) {
    assert.deepEqual(failures, [])
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const everyLane = Array.from({ length: LANES }, (_, lane) => lane)
const train = (round: number, units = everyLane, attempt = 0, step = 0): Deal => ({ kind: 'TRAIN', round, step, epoch: 1, stepInEpoch: step, attempt, units })

/** Partial sums that a session delivers for some lanes if it does nothing else. */
async function alone(lanes: number[], step = 0): Promise<Delivered[]> {
  const opened = open(undefined, step)
  opened.session.deal(train(1, lanes, 0, step))
  const covered = (): number => opened.delivered.reduce((sum, partial) => sum + partial.lanes.length, 0)
  await until(() => covered() === lanes.length, opened.failures)
  return opened.delivered
}

test('a session says of each lane that it has been computed, and delivers the fewest partials', async () => {
  const opened = open()
  opened.session.deal(train(1, [0, 1, 2, 3, 4, 5]))
  await opened.gave(2)
  const computed = opened.messages.flatMap((message) => (message.message === 'computed' ? [message.computed] : []))
  assert.deepEqual(computed.map(({ round, lane }) => [round, lane]), [0, 1, 2, 3, 4, 5].map((lane) => [1, lane]))
  assert.ok(computed.every(({ seconds }) => seconds >= 0))
  assert.deepEqual(opened.delivered.map(({ lanes }) => lanes.join()), ['0,1,2,3', '4,5'])
})

test('lanes that are released are left out if they are not begun, and the rest comes with the same bits', async () => {
  const opened = open((message, session) => {
    if (message.message === 'computed' && message.computed.lane === 1) session.release({ round: 1, units: [0, 3, 6, 7] })
  })
  opened.session.deal(train(1))
  await opened.gave(3)
  // Lane 3 may be delivered or not, depending on what the engine already had; lane 0 is done, and lanes 6 and 7 were not begun.
  const lanes = opened.delivered.flatMap((partial) => partial.lanes)
  for (const lane of [0, 1, 2, 4, 5]) assert.equal(lanes.filter((each) => each === lane).length, 1, `lane ${lane}`)
  for (const lane of [6, 7]) assert.ok(!lanes.includes(lane), `lane ${lane}`)
  for (const partial of opened.delivered) {
    const { begin, end } = tree.nodes[partial.node]
    assert.deepEqual(partial.lanes, everyLane.slice(begin, end))
    assert.deepEqual(partial.values, (await alone(partial.lanes))[0].values)
  }
})

test('a deal that waits for its turn can be released too', async () => {
  const opened = open((message, session) => {
    if (message.message === 'computed' && message.computed.lane === 0) session.release({ round: 1, units: [4] })
  })
  opened.session.deal(train(1, [0, 1]))
  opened.session.deal(train(1, [4, 5], 1))
  await opened.gave(2)
  assert.deepEqual(opened.delivered.map(({ lanes }) => lanes.join()), ['0,1', '5'])
})

test('an abandoned round is answered once its lane in progress has ended; nothing of it is delivered or met by the next round', async () => {
  const opened = open((message, session, sendWeights) => {
    if (message.message === 'computed' && message.computed.round === 1 && message.computed.lane === 2) {
      session.abandon({ round: 1 })
      sendWeights(1)
      session.deal(train(2, everyLane, 0, 1))
    }
  })
  opened.session.deal(train(1))
  opened.session.deal(train(1, [0], 1))
  await opened.gave(1)
  const [next] = opened.delivered
  assert.deepEqual([next.round, next.node], [2, 0])
  assert.deepEqual(next.values, (await alone(everyLane, 1))[0].values)
  const words = opened.messages.map((message) => (message.message === 'computed' ? `${message.computed.round}/${message.computed.lane}` : message.message))
  assert.deepEqual(words.slice(words.indexOf('abandoned')), ['abandoned', ...everyLane.map((lane) => `2/${lane}`)])
  assert.ok(!words.includes('1/7'), 'lanes that were not begun are not computed')
  assert.deepEqual(opened.failures, [])
})

test('a round of which nothing was begun is answered at once when it is abandoned', async () => {
  const opened = open()
  opened.session.abandon({ round: 7 })
  await opened.said('abandoned')
  assert.deepEqual(opened.messages, [{ message: 'abandoned', abandoned: { round: 7 } }])
})

test('blocks of the test set are computed one by one, and released like lanes', async () => {
  const opened = open()
  opened.session.deal({ ...train(1, [0]), kind: 'EVALUATE' })
  opened.session.release({ round: 1, units: [0] })
  opened.session.abandon({ round: 1 })
  await opened.said('abandoned')
  assert.ok(!opened.messages.some((message) => message.message === 'evaluation'))
  const second = open()
  second.session.deal({ ...train(1, [0]), kind: 'EVALUATE' })
  await second.said('evaluation')
})

/** A deal of the epoch after the first. */
const inSecondEpoch = (step: number): Deal => ({ ...train(2 * step + 1, everyLane, 0, step), epoch: 2, stepInEpoch: step - stepsOfEpoch() })
const stepsOfEpoch = (): number => Math.ceil(images.dataset.train.length / 16)
const testAfterFirstEpoch = (): Deal => ({ kind: 'EVALUATE', round: 2 * stepsOfEpoch(), step: stepsOfEpoch(), epoch: 1, stepInEpoch: stepsOfEpoch(), attempt: 0, units: [0] })
const resultsOf = (messages: readonly WorkerMessage[]): object[] => messages.flatMap((message) => (message.message === 'evaluation' ? [{ ...message.evaluation, seconds: 0 }] : []))

test("lanes come first; a block of the test set is computed while they wait for weights, with those of its epoch's end, which stay", async () => {
  const end = stepsOfEpoch()
  const stopping = open(undefined, end)
  stopping.session.deal(testAfterFirstEpoch())
  await stopping.said('evaluation')
  const [expected] = resultsOf(stopping.messages)
  const alone = open(undefined, end + 1)
  alone.session.deal(inSecondEpoch(end + 1))
  await alone.gave(1)

  const sends: ((version: number) => void)[] = []
  const opened = open((_message, _session, sendWeights) => void sends.push(sendWeights), end)
  opened.session.deal(testAfterFirstEpoch())
  opened.session.deal(inSecondEpoch(end))
  await opened.said('evaluation')
  const words = opened.messages.map(({ message }) => message)
  assert.deepEqual(words, [...everyLane.map(() => 'computed'), 'evaluation'])

  opened.session.deal(inSecondEpoch(end + 1))
  opened.session.deal(testAfterFirstEpoch())
  await opened.said('evaluation', 2)
  assert.equal(opened.messages.filter(({ message }) => message === 'computed').length, LANES, 'the weights of the second step are not here')
  sends[0](end + 1)
  await opened.gave(2)
  assert.deepEqual(opened.delivered[1].values, alone.delivered[0].values)
  for (let version = end + 2; version < 2 * end + 1; version++) sends[0](version)
  opened.session.deal(testAfterFirstEpoch())
  await opened.said('evaluation', 3)
  assert.deepEqual(resultsOf(opened.messages), [expected, expected, expected])
})

test('a block whose weights are gone is a failure: the worker joins again, and gets them', async () => {
  const opened = open(undefined, stepsOfEpoch() + 1)
  opened.session.deal(testAfterFirstEpoch())
  while (opened.failures.length === 0) await new Promise((resolve) => setImmediate(resolve))
  assert.match(String(opened.failures), /ProtocolError: weights \d+, which a block of the test set is to be computed with, are here no more/)
})

test('units that the run does not have are a failure', () => {
  const opened = open()
  opened.session.deal(train(1, [LANES]))
  assert.match(String(opened.failures), /the coordinator dealt units 8 of 8/)
})

test('lanes of different steps never meet on the stack', async () => {
  const local = await LocalCompute.start(network, { seed: 1, compress: 'none' }, { engine: 'wasm', precision: 'f32', threads: 1, numerics: 'native', gpu: undefined })
  local.setParameters(initialParameters(layout, 1))
  const lane = { lane: 0, samples: [], labels: [], images: new Uint8Array() }
  await local.push({ ...lane, step: 0 }, 1)
  await assert.rejects(async () => local.push({ ...lane, step: 1 }, 1), /a lane of step 1 comes upon one of step 0/)
  await local.clear()
  await local.push({ ...lane, step: 1 }, 1)
  await local.close()
})
