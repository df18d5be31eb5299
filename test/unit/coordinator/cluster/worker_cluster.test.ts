import assert from 'node:assert/strict'
import test from 'node:test'
import type { RunEvent } from '../../../../coordinator/contract/events.ts'
import type { Member } from '../../../../coordinator/contract/member.ts'
import { freshState, type UpdateNumbers } from '../../../../shared/optim/optimizer.ts'
import { optimizerOf } from '../../../../shared/optim/optimizers.ts'
import { stepRange } from '../../../../shared/optim/step_range.ts'
import { Model } from '../../../../shared/optim/stepped_weights.ts'
import { reduceHere, type Reduce } from '../../../../coordinator/exchange/reduction.ts'
import { refusalOf, type FirstWorker } from '../../../../coordinator/cluster/admission.ts'
import { WorkerCluster } from '../../../../coordinator/cluster/worker_cluster.ts'
import { ProtocolError } from '../../../../shared/kit/errors.ts'
import { layoutOf } from '../../../../shared/model/layout.ts'
import { networkSchema } from '../../../../shared/model/network.ts'
import { deferred } from '../../../../shared/kit/async.ts'
import { bytesOf, floatsOf } from '../../../../shared/kit/floats.ts'
import type { RunDescription } from '../../../../shared/wire/run_description.ts'
import type { Check, CoordinatorMessage, Deal, EvaluationResult, GradientChunk, WeightsChunk } from '../../../../shared/wire/messages.ts'
import { WeightsInbox } from '../../../../worker/weights_inbox.ts'
import { article } from '../../../../shared/recipe/presets.ts'
import { defaultTransforms } from '../../../../shared/data/transforms/transforms.ts'

const LANES = 4
const CHUNK = 8
const TEST_IMAGES = 40
const network = networkSchema.parse({
  name: 'line', imageSize: 2, classes: 2, mean: [0, 0, 0], std: [1, 1, 1],
  layers: [{ type: 'flatten' }, { type: 'dense', units: 2, bias: false }],
})
const layout = layoutOf(network)
const beginning = { epoch: 1, stepInEpoch: 0, step: 0 }
const second = { epoch: 1, stepInEpoch: 1, step: 1 }

/** A member that records its deals and weights, and does nothing by itself. */
interface StillMember extends Member {
  readonly dealt: Deal[]
  readonly weights: WeightsChunk[]
  /** The first check that it is asked for. */
  readonly asked: Promise<Check>
  /** Reasons for which it was evicted. */
  readonly evicted: string[]
}

function stillMember(name: string): StillMember {
  const dealt: Deal[] = []
  const weights: WeightsChunk[] = []
  const asked = deferred<Check>()
  const evicted: string[] = []
  return {
    id: name, name, identity: name, identityBy: 'name', dealt, weights, asked: asked.promise, evicted, residentBytes: 0, bytesReceived: 0, bytesSent: 0, backlogBytes: 0,
    facts: { engine: { kind: 'wasm', mode: 'eager', precision: 'f32', threads: 1, device: 'cpu', version: 'none' }, fingerprint: 'f', input: { fingerprint: 'i', versions: 'v' }, datasetDigest: '', metricsAddress: '' },
    send: (message: CoordinatorMessage) => {
      if (message.message === 'deal') dealt.push(message.deal)
      if (message.message === 'check') asked.resolve(message.check)
    },
    sendWeights: (chunk: WeightsChunk) => weights.push(chunk),
    evict: (reason) => evicted.push(reason),
  }
}

const optimizer = optimizerOf(article.optimizer)
const update = (number: number): UpdateNumbers => ({ samples: 8, update: number, rate: 0.1 })

const description: RunDescription = { ...article, ...defaultTransforms(network), name: 'run', network, engine: 'wasm', precision: 'f32', threads: 1, seed: 0, batch: 8, lanes: LANES, datasetDigest: '0'.repeat(64), compress: 'none', compressWeights: 'none', trace: false }

interface Opened {
  cluster: WorkerCluster
  events: RunEvent[]
  /** The clock, in milliseconds. */
  time: { now: number }
}

/** Opens a cluster whose members are in. @returns it with its events and its clock */
function openedWith(members: Member[], reduce: Reduce = reduceHere(new Model(layout, optimizer, freshState(optimizer, layout.size)), 0), run: RunDescription = description): Opened {
  const events: RunEvent[] = []
  const time = { now: 0 }
  const cluster = new WorkerCluster({
    run,
    test: Array.from({ length: TEST_IMAGES }, (_, id) => id),
    reduce,
    workersWanted: members.length, silenceLimitMs: 1000, waitLimitMs: Number.POSITIVE_INFINITY, allowMixedNumerics: true, vigilance: { share: 0, attentiveUntil: 0, secret: '', random: () => 0 }, ban: () => undefined, now: () => time.now, observe: (event) => events.push(event), chunkFloats: CHUNK,
    close: () => Promise.resolve(),
  })
  for (const member of members) assert.equal(cluster.onReady(member), undefined)
  return { cluster, events, time }
}

const clusterOf = (...members: Member[]): WorkerCluster => openedWith(members).cluster

/** The chunks of one partial sum whose values are all 1. */
function partial(round: number, node: number, lanes: number[]): GradientChunk[] {
  const count = layout.size / CHUNK
  return Array.from({ length: count }, (_, index) => ({
    session: '', round, attempt: 0, node, offset: index * CHUNK, data: bytesOf(new Float32Array(CHUNK).fill(1)),
    lanes: index === count - 1 ? lanes.map((lane) => ({ lane, lossSum: 1, correct: 1, samples: 2, seconds: 0, notFinite: false })) : [],
    began: 0,
  }))
}

const blockResult = (round: number, block: number, images: number): EvaluationResult =>
  ({ round, attempt: 0, block, seconds: 0, lossSum: 1, predicted: new Array<number>(images).fill(0), probability: new Array<number>(images).fill(1) })

/** Plays a whole training step, of which each member delivers what it was dealt: one member all lanes, two members half of them each. */
async function playStep(cluster: WorkerCluster, ...members: Member[]): Promise<void> {
  const step = cluster.trainStep(beginning, update(1))
  const partials = members.length === 1 ? [partial(1, 0, [0, 1, 2, 3])] : [partial(1, 1, [0, 1]), partial(1, 4, [2, 3])]
  partials.forEach((chunks, index) => chunks.forEach((chunk) => cluster.onGradient(members[index], chunk)))
  assert.equal((await step).lanes.length, LANES)
}

test("a gradient for an evaluation's round, and a test block for a training round, break the protocol", async () => {
  const member = stillMember('a')
  const cluster = clusterOf(member)
  void cluster.trainStep(beginning, update(1))
  assert.throws(() => cluster.onEvaluation(member, blockResult(1, 0, 32)), { name: ProtocolError.name, message: /round 1, which is of another kind/ })

  const evaluating = stillMember('b')
  const next = clusterOf(evaluating)
  await playStep(next, evaluating)
  void next.evaluate(second)
  assert.throws(() => next.onGradient(evaluating, partial(2, 0, [0, 1, 2, 3])[0]), { name: ProtocolError.name, message: /round 2, which is of another kind/ })
  assert.equal(next.status.totals.lanesCounted, LANES)
})

test('a result of a round that has not begun breaks the protocol', () => {
  const member = stillMember('a')
  const cluster = clusterOf(member)
  assert.throws(() => cluster.onGradient(member, partial(1, 0, [0, 1, 2, 3])[0]), { name: ProtocolError.name, message: /round 1, which has not begun/ })
  assert.throws(() => cluster.onEvaluation(member, blockResult(0, 0, 32)), { name: ProtocolError.name, message: /has not begun/ })
})

test('what comes late for a round that is over is dropped, whatever it was', async () => {
  const member = stillMember('a')
  const cluster = clusterOf(member)
  await playStep(cluster, member)
  void cluster.evaluate(second)
  for (const chunk of partial(1, 0, [0, 1, 2, 3])) cluster.onGradient(member, chunk)
  assert.equal(cluster.status.totals.lanesCounted, LANES)
})

test('a round has the same number after a restart, so that a result of before it can only be the right one', async () => {
  const [before, after] = [stillMember('a'), stillMember('a')]
  const cluster = clusterOf(before)
  await playStep(cluster, before)
  void cluster.evaluate(second)
  void clusterOf(after).evaluate(second)
  assert.deepEqual(before.dealt.map(({ round }) => round), [1, 2, 2])
  assert.deepEqual(after.dealt.map(({ round }) => round), [2, 2])
})

test('a partial that lacks its end breaks the protocol when the next one begins', () => {
  const member = stillMember('a')
  const cluster = clusterOf(member)
  void cluster.trainStep(beginning, update(1))
  const [left, right] = [partial(1, 1, [0, 1]), partial(1, 4, [2, 3])]
  for (const chunk of left.slice(0, -1)) cluster.onGradient(member, chunk)
  assert.throws(() => cluster.onGradient(member, right[0]), { name: ProtocolError.name, message: /out of order/ })
})

test('a chunk that comes twice, or is left out, breaks the protocol', () => {
  for (const order of [[0, 0], [0, 2], [1]]) {
    const member = stillMember('a')
    const cluster = clusterOf(member)
    void cluster.trainStep(beginning, update(1))
    const chunks = partial(1, 0, [0, 1, 2, 3])
    const [last, ...before] = order.toReversed()
    for (const index of before) cluster.onGradient(member, chunks[index])
    assert.throws(() => cluster.onGradient(member, chunks[last]), { name: ProtocolError.name, message: /out of order/ })
  }
})

test('a test block that is none breaks the protocol, and the evaluation goes on', async () => {
  const member = stillMember('a')
  const cluster = clusterOf(member)
  const evaluation = cluster.evaluate(beginning)
  assert.throws(() => cluster.onEvaluation(member, blockResult(0, 2, 0)), { name: ProtocolError.name, message: /block 2 is none of 2/ })
  cluster.onEvaluation(member, blockResult(0, 0, 32))
  cluster.onEvaluation(member, blockResult(0, 1, 8))
  assert.equal((await evaluation).length, 2)
})

test('after a step whose gradient is not finite, every worker gets the weights as they were, whole, as the next version', async () => {
  const member = stillMember('a')
  const cluster = clusterOf(member)
  const inbox = new WeightsInbox(layout.size)
  const late = stillMember('late')
  const lateInbox = new WeightsInbox(layout.size)

  const step = cluster.trainStep(beginning, update(1))
  const [first, ...rest] = partial(1, 0, [0, 1, 2, 3])
  cluster.onGradient(member, first)
  assert.equal(cluster.onReady(late), undefined)
  floatsOf(rest[0].data)[3] = NaN
  rest[rest.length - 1].lanes[0].notFinite = true
  for (const chunk of rest) cluster.onGradient(member, chunk)
  const { id, key } = await late.asked
  cluster.onChecked(late, { id, key, digests: [], notFinite: true, gone: false })
  assert.equal((await step).notFinite, 'dense_1/kernel')

  const before = new Float32Array(layout.size)
  for (const [{ weights }, of] of [[member, inbox], [late, lateInbox]] as const) {
    for (const chunk of weights) of.receive(chunk)
    assert.deepEqual(await of.take(1), before)
  }
  assert.deepEqual(member.weights.map(({ version, offset }) => [version, offset]), [[0, 0], [0, 8], [0, 16], [1, 0], [1, 0], [1, 8], [1, 16]], 'the first chunk of the step had gone out')

  cluster.onLost(late, 'it has seen enough')
  const next = cluster.trainStep({ ...beginning, stepInEpoch: 1, step: 1 }, update(1))
  for (const chunk of partial(3, 0, [0, 1, 2, 3])) cluster.onGradient(member, chunk)
  assert.equal((await next).notFinite, undefined)
  for (const chunk of member.weights.slice(7)) inbox.receive(chunk)
  const stepped = freshState(optimizer, layout.size)
  stepRange(layout, optimizer, { range: { begin: 0, end: layout.size }, sum: new Float32Array(layout.size).fill(1), step: { ...update(1), scale: 1 }, from: stepped, to: stepped })
  assert.deepEqual(await inbox.take(2), stepped.parameters)
})

test('beside a step, the test set comes to what it comes to without one; each block is counted once, and none as a lane', async () => {
  const still = stillMember('a')
  const stopping = clusterOf(still)
  await playStep(stopping, still)
  const expected = stopping.evaluate(second)
  for (const [block, images] of [[0, 32], [1, 8]]) stopping.onEvaluation(still, blockResult(2, block, images))
  assert.equal(stopping.status.totals.lanesCounted, LANES)

  const member = stillMember('a')
  const { cluster, events } = openedWith([member])
  await playStep(cluster, member)
  assert.equal(cluster.evaluatesBeside, true)
  const evaluation = cluster.evaluate(second)
  const step = cluster.trainStep(second, update(2))
  assert.deepEqual(member.dealt.slice(1).map(({ kind, round, units }) => [kind, round, units]), [['EVALUATE', 2, [0]], ['EVALUATE', 2, [1]], ['TRAIN', 3, [0, 1, 2, 3]]])
  assert.deepEqual(cluster.status.members.map(({ kind, owes }) => [kind, owes]), [['TRAIN', [0, 1, 2, 3]]])
  cluster.onEvaluation(member, blockResult(2, 1, 8))
  assert.throws(() => cluster.onEvaluation(member, blockResult(2, 1, 8)), { name: ProtocolError.name, message: /test block 1, which was not dealt to it/ })
  for (const chunk of partial(3, 0, [0, 1, 2, 3])) cluster.onGradient(member, chunk)
  assert.equal((await step).lanes.length, LANES)
  assert.deepEqual(cluster.status.members.map(({ kind, owes, state }) => [kind, owes, state]), [['EVALUATE', [0], 'computing']])
  cluster.onEvaluation(member, blockResult(2, 0, 32))
  assert.deepEqual(await evaluation, await expected)
  assert.throws(() => cluster.onEvaluation(member, blockResult(2, 0, 32)), { name: ProtocolError.name, message: /test block 0, which was not dealt to it/ })
  const { lanesDelivered, lanesCounted, lanesDropped } = cluster.status.totals
  assert.deepEqual([lanesDelivered, lanesCounted, lanesDropped], [2 * LANES, 2 * LANES, 0])
  assert.deepEqual(events.filter(({ type }) => type === 'testing'), [{ type: 'testing', done: 1, total: 2 }, { type: 'testing', done: 2, total: 2 }])
})

test('a block that two workers compute counts once, and one that comes when all are counted is dropped', async () => {
  const [slow, fast] = [stillMember('slow'), stillMember('fast')]
  const { cluster, events } = openedWith([slow])
  await playStep(cluster, slow)
  const evaluation = cluster.evaluate(second)
  assert.equal(cluster.onReady(fast), undefined)
  assert.deepEqual(fast.dealt.map(({ units }) => units), [[1]], 'the block that the other has not begun')
  cluster.onEvaluation(slow, blockResult(2, 1, 8))
  cluster.onEvaluation(fast, blockResult(2, 1, 8))
  cluster.onEvaluation(slow, blockResult(2, 0, 32))
  assert.equal((await evaluation).length, 2)
  assert.deepEqual(events.filter(({ type }) => type === 'dropped'), [{ type: 'dropped', worker: 'fast', units: 1, reason: 'the block was counted before' }])
})

test('the whole gradient from a worker that was dealt half of it, and a test block from one that was not, break the protocol and count nothing', async () => {
  const [liar, honest] = [stillMember('liar'), stillMember('honest')]
  const { cluster, events } = openedWith([liar, honest])
  const step = cluster.trainStep(beginning, update(1))
  assert.deepEqual(liar.dealt.map(({ units }) => units), [[0, 1]])
  assert.throws(() => cluster.onGradient(liar, partial(1, 0, [0, 1, 2, 3])[0]), { name: ProtocolError.name, message: /lanes 0 to 3, of which it was not dealt all/ })
  cluster.onLost(liar, 'it broke the protocol')
  for (const chunk of partial(1, 0, [0, 1, 2, 3])) cluster.onGradient(honest, chunk)
  assert.deepEqual((await step).computedBy, ['honest', 'honest', 'honest', 'honest'])
  assert.ok(events.every(({ type }) => type !== 'dropped' && type !== 'uploadUnfinished'))
  assert.equal(cluster.onReady(liar), undefined)
  void cluster.evaluate(second)
  assert.deepEqual(honest.dealt.at(-2)?.units, [0])
  assert.throws(() => cluster.onEvaluation(liar, blockResult(2, 0, 32)), { name: ProtocolError.name, message: /test block 0, which was not dealt to it/ })
})

test('an upload that a worker leaves unfinished is told of, since what had come counts', async () => {
  const [gone, next] = [stillMember('gone'), stillMember('next')]
  const { cluster, events } = openedWith([gone, next])
  void cluster.trainStep(beginning, update(1))
  cluster.onGradient(gone, partial(1, 1, [0, 1])[0])
  cluster.onLost(gone, 'its connection broke')
  await Promise.resolve()
  assert.deepEqual(events.filter(({ type }) => type === 'uploadUnfinished'), [{ type: 'uploadUnfinished', worker: 'gone', step: 0, lanes: [0, 1] }])
})

test('a block that is taken over, or dealt again, is told as one of the test set, and counted as no lane', async () => {
  // The first worker has two blocks, and has not begun the second.
  const [first, other] = [stillMember('first'), stillMember('other')]
  const { cluster, events } = openedWith([first, other])
  await playStep(cluster, first, other)
  void cluster.evaluate(second)
  const told = (): object[] => events.filter(({ type }) => type === 'takenOver' || type === 'dealtAgain')
  assert.deepEqual(told(), [{ type: 'takenOver', worker: 'other', kind: 'EVALUATE', step: 1, units: [1], attempt: 1 }])
  cluster.onLost(other, 'it is gone')
  assert.deepEqual(told().slice(1), [{ type: 'dealtAgain', worker: 'first', kind: 'EVALUATE', step: 1, units: [1], attempt: 2 }])
  const { lanesTakenOver, lanesDealtAgain } = cluster.status.totals
  assert.deepEqual([lanesTakenOver, lanesDealtAgain], [0, 0])
})

test('where weights are elsewhere, the test set is evaluated all the same, and not beside steps', async () => {
  const member = stillMember('a')
  const { cluster } = openedWith([member], (surroundings) => {
    const { evaluation, ...rest } = reduceHere(new Model(layout, optimizer, freshState(optimizer, layout.size)), 0)(surroundings)
    assert.ok(evaluation)
    return rest
  })
  await playStep(cluster, member)
  assert.equal(cluster.evaluatesBeside, false)
  const evaluation = cluster.evaluate(second)
  for (const [block, images] of [[1, 8], [0, 32]]) cluster.onEvaluation(member, { ...blockResult(2, block, images), lossSum: block })
  assert.deepEqual((await evaluation).map(({ lossSum }) => lossSum), [0, 1])
})

test('a worker that leaves during an evaluation finishes the block that it may be at, and is let go', async () => {
  const [leaver, stayer] = [stillMember('leaver'), stillMember('stayer')]
  const { cluster, events } = openedWith([leaver, stayer])
  await playStep(cluster, leaver, stayer)
  const evaluation = cluster.evaluate(second)
  cluster.onDraining(leaver)
  assert.deepEqual(cluster.status.members.map(({ name, state, owes }) => [name, state, owes]), [['leaver', 'draining', [0]], ['stayer', 'computing', [1]]])
  cluster.onEvaluation(leaver, blockResult(2, 0, 32))
  cluster.tick()
  assert.deepEqual(events.filter(({ type }) => type === 'workerLeft'), [{ type: 'workerLeft', worker: 'leaver', workers: 1 }])
  cluster.onEvaluation(stayer, blockResult(2, 1, 8))
  assert.equal((await evaluation).length, 2)
  assert.equal(cluster.status.totals.workersLost, 0)
})

test('with nobody left an evaluation waits, and goes on with whoever joins; two at a time are refused', async () => {
  const [member, next] = [stillMember('a'), stillMember('next')]
  const { cluster, events } = openedWith([member])
  await playStep(cluster, member)
  const evaluation = cluster.evaluate(second)
  await assert.rejects(cluster.evaluate(second), /when none goes on/)
  cluster.onLost(member, 'it is gone')
  assert.equal(cluster.status.waiting, true)
  assert.equal(cluster.onReady(next), undefined)
  assert.deepEqual(next.dealt.map(({ kind, units, attempt }) => [kind, units, attempt]), [['EVALUATE', [0], 1], ['EVALUATE', [1], 1]])
  for (const [block, images] of [[0, 32], [1, 8]]) cluster.onEvaluation(next, blockResult(2, block, images))
  assert.equal((await evaluation).length, 2)
  assert.deepEqual(events.filter(({ type }) => type === 'waiting' || type === 'goingOn').map(({ type }) => type), ['waiting', 'goingOn'])
})

test('the last worker that hangs at the first block of an evaluation is evicted, though it is heard: blocks were measured before', async () => {
  const member = stillMember('a')
  const { cluster, time } = openedWith([member])
  await playStep(cluster, member)
  const evaluation = cluster.evaluate(second)
  for (const [block, images] of [[0, 32], [1, 8]]) cluster.onEvaluation(member, { ...blockResult(2, block, images), seconds: 0.1 })
  await evaluation
  const step = cluster.trainStep(second, update(2))
  for (const chunk of partial(3, 0, [0, 1, 2, 3])) cluster.onGradient(member, chunk)
  await step
  void cluster.evaluate({ epoch: 1, stepInEpoch: 2, step: 2 })
  const pass = (ms: number): void => {
    for (const end = time.now + ms; time.now < end;) {
      time.now += 100
      cluster.onHeard(member)
      cluster.tick()
    }
  }
  pass(4900)
  assert.deepEqual(member.evicted, [])
  pass(400)
  assert.deepEqual(member.evicted, ['it has computed no block of the test set for 5.1 s'])
})

test('who joins while the test set is evaluated beside training gets the weights of that moment first, and nobody afterwards', async () => {
  const [member, late, later] = [stillMember('a'), stillMember('late'), stillMember('later')]
  const cluster = clusterOf(member)
  await playStep(cluster, member)
  const inbox = new WeightsInbox(layout.size)
  for (const chunk of member.weights) inbox.receive(chunk)
  const expected = await inbox.take(1)
  const evaluation = cluster.evaluate(second)
  const step = cluster.trainStep(second, update(2))
  for (const chunk of partial(3, 0, [0, 1, 2, 3])) cluster.onGradient(member, chunk)
  await step

  assert.equal(cluster.onReady(late), undefined)
  const lateInbox = new WeightsInbox(layout.size)
  lateInbox.keepEvery(1, () => undefined)
  for (const chunk of late.weights) lateInbox.receive(chunk)
  assert.deepEqual(late.weights.map(({ version }) => version), [1, 1, 1, 2, 2, 2])
  assert.deepEqual(lateInbox.find(1), expected)
  assert.notDeepEqual(lateInbox.find(2), expected)
  cluster.onLost(member, 'it is gone')
  assert.deepEqual(late.dealt.map(({ units }) => units), [[1], [0]])
  for (const [block, images] of [[0, 32], [1, 8]]) cluster.onEvaluation(late, blockResult(2, block, images))
  assert.equal((await evaluation).length, 2)
  assert.equal(cluster.onReady(later), undefined)
  assert.deepEqual(later.weights.map(({ version }) => version), [2, 2, 2])
})

test('a cluster that fails fails the step and the evaluation beside it', async () => {
  const member = stillMember('a')
  const cluster = clusterOf(member)
  await playStep(cluster, member)
  const waits = [cluster.evaluate(second), cluster.trainStep(second, update(2))]
  cluster.fail(new Error('nobody comes'))
  for (const wait of waits) await assert.rejects(wait, { message: 'nobody comes' })
})

test('workers that come under ever new names fill nothing: a few names of each fingerprint are kept, and each difference is told once', () => {
  const { cluster, events } = openedWith([])
  for (let number = 0; number < 100; number++) {
    const member = stillMember(number === 50 ? '__proto__' : `pod-${number}`)
    if (number === 50 || number === 51) Object.assign(member.facts ?? {}, { fingerprint: 'other' })
    assert.equal(cluster.onReady(member), undefined)
    cluster.onLost(member, 'it is gone')
  }
  const { fingerprints } = cluster.status
  assert.equal(Object.keys(fingerprints).length, 10)
  assert.equal(Object.getOwnPropertyDescriptor(fingerprints, '__proto__')?.value, 'other')
  assert.equal(events.filter(({ type }) => type === 'fingerprintsDiffer').length, 1)
})

test('a worker with another arithmetic, another way with images, or another version is refused, and says which', () => {
  const first: FirstWorker = { name: 'first', facts: stillMember('first').facts ?? assert.fail() }
  const refused = (changes: object): string | undefined => refusalOf({ ...first.facts, ...changes }, description, { first, precedent: undefined }, false)
  assert.equal(refused({}), undefined)
  assert.match(refused({ fingerprint: 'g' }) ?? '', /^it computes other bits than first \(numerics fingerprints g and f\): the result would depend on who computes what/)
  assert.match(refused({ input: { fingerprint: 'j', versions: 'v' } }) ?? '', /^it prepares images differently than first \(input fingerprints j and i\)/)
  assert.match(refused({ input: { fingerprint: 'i', versions: 'w' } }) ?? '', /^it is of another version than first \(w, and v\)/)
  assert.equal(refusalOf({ ...first.facts, fingerprint: 'g' }, description, { first, precedent: undefined }, true), undefined)
})

test('a worker of a resumed run is compared with what computed before, even if it is the first to join again; a newer version alone is taken', () => {
  const { facts = assert.fail() } = stillMember('first')
  const refused = (changes: object, allowMixed = false): string | undefined => refusalOf({ ...facts, ...changes }, description, { first: undefined, precedent: { numerics: 'f', input: 'i' } }, allowMixed)
  assert.equal(refused({}), undefined)
  assert.match(refused({ fingerprint: 'g' }) ?? '', /^it computes other bits than this run did before it was resumed \(numerics fingerprints g and f\): .* --allow-mixed-numerics/)
  assert.match(refused({ input: { fingerprint: 'j', versions: 'v' } }) ?? '', /^it prepares images differently than this run did before it was resumed \(input fingerprints j and i\)/)
  assert.equal(refused({ input: { fingerprint: 'i', versions: 'w' } }), undefined)
  assert.equal(refused({ fingerprint: 'g' }, true), undefined)
})

test('in an audited step, a lane without its digest counts for nothing: its worker is out, and another computes the lane', async () => {
  const [liar, honest] = [stillMember('liar'), stillMember('honest')]
  const { cluster } = openedWith([liar, honest], undefined, { ...description, audit: { every: 2, stepsPerEpoch: 100 } })
  await playStep(cluster, liar, honest)

  const step = cluster.trainStep(second, update(2))
  const audited = (chunks: GradientChunk[]): GradientChunk[] => chunks.map((chunk) => ({ ...chunk, lanes: chunk.lanes.map((report) => ({ ...report, digest: 'ab'.repeat(20) })) }))
  for (const chunk of partial(3, 1, [0, 1])) cluster.onGradient(liar, chunk)
  assert.deepEqual(liar.evicted, ['it has computed lanes of step 2 without telling their digests, which the run notes'])
  cluster.onLost(liar, 'evicted')
  for (const chunk of [...audited(partial(3, 4, [2, 3])), ...audited(partial(3, 1, [0, 1]))]) cluster.onGradient(honest, chunk)
  const { lanes, computedBy } = await step
  assert.deepEqual(lanes.map(({ digest }) => digest), new Array(LANES).fill('ab'.repeat(20)))
  assert.deepEqual(computedBy, new Array(LANES).fill('honest'))
})
