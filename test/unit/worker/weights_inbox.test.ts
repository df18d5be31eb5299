import assert from 'node:assert/strict'
import test from 'node:test'
import { ProtocolError } from '../../../shared/kit/errors.ts'
import { bytesOf } from '../../../shared/kit/floats.ts'
import type { WeightsChunk } from '../../../shared/wire/messages.ts'
import { WeightsInbox } from '../../../worker/weights_inbox.ts'

const chunk = (version: number, offset: number, ...values: number[]): WeightsChunk => ({ version, offset, leftOut: false, data: Buffer.from(bytesOf(Float32Array.from(values))) })
/** A chunk of the weights after a step that was left out. */
const again = (version: number, offset: number, ...values: number[]): WeightsChunk => ({ ...chunk(version, offset, ...values), leftOut: true })

test('weights are handed out once they are complete, whether they come before or after they are asked for', async () => {
  const inbox = new WeightsInbox(4)
  inbox.receive(chunk(1, 0, 1, 2))
  const first = inbox.take(1)
  inbox.receive(chunk(1, 2, 3, 4))
  assert.deepEqual([...(await first) ?? []], [1, 2, 3, 4])
  inbox.receive(chunk(2, 0, 5, 6))
  inbox.receive(chunk(2, 2, 7, 8))
  assert.deepEqual([...(await inbox.take(2)) ?? []], [5, 6, 7, 8])
})

test('chunks of the next version do not touch the present one', async () => {
  const inbox = new WeightsInbox(2)
  inbox.receive(chunk(1, 0, 1, 2))
  const present = await inbox.take(1)
  inbox.receive(chunk(2, 0, 9))
  assert.deepEqual([...present ?? []], [1, 2])
})

test('chunks that do not fit are refused', () => {
  const inbox = new WeightsInbox(4)
  assert.throws(() => inbox.receive(chunk(1, 3, 1, 2)), ProtocolError)
  inbox.receive(chunk(1, 0, 1, 2))
  assert.throws(() => inbox.receive(chunk(1, 1, 1, 2)), /does not follow 2 floats of 4/)
  assert.throws(() => inbox.receive(chunk(1, 3, 1)), ProtocolError)
  assert.throws(() => inbox.receive({ ...chunk(1, 0), data: Buffer.alloc(3) }), ProtocolError)
})

test('a version begins when the one before it is complete, and never again', () => {
  const inbox = new WeightsInbox(2)
  inbox.receive(chunk(3, 0, 1))
  assert.throws(() => inbox.receive(chunk(4, 0, 1)), /weights 4 .* does not follow 1 floats of 2 of weights 3/)
  inbox.receive(chunk(3, 1, 1))
  assert.throws(() => inbox.receive(chunk(3, 0, 1)), /weights 3 .* does not follow 2 floats of 2 of weights 3/)
  assert.throws(() => inbox.receive(chunk(2, 0, 1)), /weights 2 .* does not follow 2 floats of 2 of weights 3/)
})

test('weights that nobody asked for are forgotten when later ones are complete', async () => {
  const inbox = new WeightsInbox(1)
  const first = inbox.take(1)
  inbox.receive(chunk(2, 0, 7))
  assert.equal(await first, undefined)
  assert.equal(await inbox.take(1), undefined)
  assert.deepEqual([...(await inbox.take(2)) ?? []], [7])
})

test('a version that is not complete may begin again when its step is left out, a complete one may not', async () => {
  const inbox = new WeightsInbox(4)
  inbox.receive(chunk(1, 0, 7, 8))
  const weights = inbox.take(1)
  assert.throws(() => inbox.receive(chunk(1, 0, 1)), /does not follow 2 floats of 4/)
  inbox.receive(again(1, 0, 1))
  inbox.receive(again(1, 1, 2, 3, 4))
  assert.deepEqual([...(await weights) ?? []], [1, 2, 3, 4])
  assert.throws(() => inbox.receive(again(1, 0, 1)), /does not follow 4 floats of 4/)
  inbox.receive(chunk(2, 0, 1, 1, 1, 1))
  assert.throws(() => inbox.receive(again(2, 0, 1)), /weights 2 came after weights 2/)
})

const halves = [{ begin: 0, end: 2 }, { begin: 2, end: 4 }]

test('ranges come from several reducers, each in its order; a version is complete when all are', async () => {
  const inbox = new WeightsInbox(4, halves)
  const first = inbox.take(1)
  inbox.receive(chunk(1, 2, 3))
  inbox.receive(chunk(1, 0, 1, 2))
  // The first range goes on to version 2, while the second has not got all of version 1.
  inbox.receive(chunk(2, 0, 5))
  inbox.receive(chunk(1, 3, 4))
  assert.deepEqual([...(await first) ?? []], [1, 2, 3, 4])
  inbox.receive(chunk(2, 2, 7, 8))
  const second = inbox.take(2)
  inbox.receive(chunk(2, 1, 6))
  assert.deepEqual([...(await second) ?? []], [5, 6, 7, 8])
  assert.throws(() => inbox.receive(chunk(3, 1, 6, 7)), /does not follow/)
  assert.throws(() => inbox.receive(chunk(3, 4, 6)), /does not follow/)
  assert.throws(() => inbox.receive(chunk(3, 0, 6, 7, 8)), /does not follow/)
})

test('of a step that is left out, the ranges that were stepped before begin again, in whatever order they come', async () => {
  for (const secondFirst of [false, true]) {
    const inbox = new WeightsInbox(4, halves)
    const weights = inbox.take(1)
    inbox.receive(chunk(1, 0, 9, 9))
    if (secondFirst) inbox.receive(again(1, 2, 3, 4))
    inbox.receive(again(1, 0, 1, 2))
    if (!secondFirst) inbox.receive(again(1, 2, 3, 4))
    assert.deepEqual([...(await weights) ?? []], [1, 2, 3, 4])
  }
})

test('a range that lags behind costs the memory of three versions at most, and its late chunks are taken', async () => {
  const inbox = new WeightsInbox(4, halves)
  for (const version of [1, 2, 3, 4]) inbox.receive(chunk(version, 0, version, version))
  for (const version of [1, 2, 3]) inbox.receive(chunk(version, 2, version, version))
  assert.deepEqual([...(await inbox.take(3)) ?? []], [3, 3, 3, 3])
  inbox.receive(chunk(4, 2, 4, 4))
  assert.deepEqual([...(await inbox.take(4)) ?? []], [4, 4, 4, 4])
})

test('a steady state allocates nothing: the fourth version after one is written where that was, and the three between are not touched', async () => {
  const inbox = new WeightsInbox(2)
  const handed: Float32Array[] = []
  for (let version = 1; version <= 9; version++) {
    inbox.receive(chunk(version, 0, version, 10 * version))
    const parameters = await inbox.take(version) ?? assert.fail('not complete')
    handed.push(parameters)
    handed.slice(-4).forEach((each, index, last) => assert.deepEqual([...each], [version - last.length + index + 1, 10 * (version - last.length + index + 1)]))
  }
  assert.equal(handed[8], handed[4])
  assert.equal(new Set(handed).size, 4)
})

test('weights that are complete are not written over as long as no later ones are, however many begin', async () => {
  const inbox = new WeightsInbox(4, [{ begin: 0, end: 2 }, { begin: 2, end: 4 }])
  inbox.receive(chunk(1, 0, 1, 2))
  inbox.receive(chunk(1, 2, 3, 4))
  const first = await inbox.take(1)
  for (let version = 2; version <= 8; version++) inbox.receive(chunk(version, 0, 10 * version, 0))
  assert.equal(await inbox.take(1), first)
  assert.deepEqual([...first ?? []], [1, 2, 3, 4])
})

test("the weights of the last two epochs' ends are kept, whatever comes after them", () => {
  const inbox = new WeightsInbox(2)
  let complete = 0
  inbox.keepEvery(3, () => complete++)
  for (let version = 1; version <= 8; version++) inbox.receive(chunk(version, 0, version, -version))
  assert.equal(complete, 8)
  const found = [3, 6, 8, 9].map((version) => inbox.find(version))
  assert.deepEqual(found.map((weights) => (weights instanceof Float32Array ? [...weights] : weights)), [[3, -3], [6, -6], [8, -8], undefined])
  assert.deepEqual([0, 2, 7].map((version) => inbox.find(version)), ['gone', 'gone', 'gone'])
  inbox.receive(chunk(9, 0, 9, -9))
  assert.deepEqual([inbox.find(3), [...inbox.find(6) ?? []], [...inbox.find(9) ?? []]], ['gone', [6, -6], [9, -9]])
})

test('weights of a step before are copied for a check, until later ones have taken their memory', async () => {
  const inbox = new WeightsInbox(2)
  for (let version = 1; version <= 3; version++) {
    inbox.receive(chunk(version, 0, version, -version))
    await inbox.take(version)
  }
  const before = inbox.copyOf(2)
  assert.deepEqual(before, Float32Array.of(2, -2))
  assert.equal(inbox.copyOf(4), undefined, 'they are still to come')
  // The next versions overwrite the memory that it had, and not the copy.
  for (let version = 4; version <= 8; version++) {
    inbox.receive(chunk(version, 0, version))
    // A half of it has come: none of the complete ones is touched.
    assert.deepEqual(inbox.copyOf(version - 1), Float32Array.of(version - 1, 1 - version))
    inbox.receive(chunk(version, 1, -version))
  }
  assert.deepEqual(before, Float32Array.of(2, -2))
  assert.equal(inbox.copyOf(2), 'gone')
})
