import assert from 'node:assert/strict'
import { networkInterfaces } from 'node:os'
import test, { type TestContext } from 'node:test'
import { MachineMemory } from '../../../coordinator/members/machine_memory.ts'
import { VERSIONS_BEHIND } from '../../../shared/wire/board.ts'
import { BehindError, CoordinatorMemory } from '../../../worker/shared_memory.ts'
import { withoutSharedMemory } from '../../support/shared_memory.ts'

const FLOATS = 5000

function memoryOf(t: TestContext): MachineMemory {
  const memory = MachineMemory.create(FLOATS) ?? assert.fail('this machine has no files in memory')
  t.after(() => memory.close())
  return memory
}

function shared(t: TestContext) {
  const memory = memoryOf(t)
  const { gradients, places } = memory.offer('127.0.0.1:50000') ?? assert.fail('not offered')
  const worker = CoordinatorMemory.open(places) ?? assert.fail('not opened')
  t.after(() => {
    gradients.close()
    worker.close()
  })
  return { board: memory.board, gradients, worker, places }
}

test('weights are read until as many later versions have been written as a worker may be behind', { skip: withoutSharedMemory }, (t) => {
  const { board, worker } = shared(t)
  const bytes = (version: number): Buffer => Buffer.alloc(4 * FLOATS, version)
  const posted = Array.from({ length: 3 * VERSIONS_BEHIND }, (_, version) => {
    const place = board.post(version, 0, bytes(version)) ?? assert.fail('no memory')
    // The place is taken when the version is posted, and is read after all versions have been posted.
    return worker.weights(version, place)
  }).map((weights, version, all) => ({ weights, version, isOld: version < all.length - VERSIONS_BEHIND }))
  const target = Buffer.alloc(4 * FLOATS)
  for (const { weights, version, isOld } of posted) {
    if (isOld) assert.throws(() => weights.readInto(target), BehindError)
    else {
      weights.readInto(target)
      assert.deepEqual(target, bytes(version))
    }
  }
})

test('a version that begins again, and one that is posted for another worker too, is where it was', { skip: withoutSharedMemory }, (t) => {
  const { board, worker } = shared(t)
  const first = board.post(7, 1000, Buffer.from('abcd')) ?? assert.fail('no memory')
  assert.deepEqual(board.post(7, 1000, Buffer.from('efgh')), first)
  const target = Buffer.alloc(4)
  worker.weights(7, first).readInto(target)
  assert.equal(target.toString(), 'efgh')
})

test('partials of a round lie behind each other, those of the next begin anew', { skip: withoutSharedMemory }, (t) => {
  const { gradients, worker } = shared(t)
  const put = (round: number, text: string) => worker.putGradient(round, Buffer.from(text)) ?? assert.fail('no memory')
  const places = [put(1, 'first'), put(1, 'second'), put(1, 'third')]
  const read = ({ at, length }: { at: number; length: number }): string => {
    const target = Buffer.alloc(length)
    gradients.read(at, target)
    return target.toString()
  }
  assert.deepEqual(places.map(read), ['first', 'second', 'third'])
  assert.deepEqual(put(3, 'other').at, places[0].at)
  assert.equal(read(places[1]), 'second')
})

test('memory is offered to workers of this machine only, and what is not there is not opened', { skip: withoutSharedMemory }, (t) => {
  const memory = memoryOf(t)
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []).map(({ address, family }) => (family === 'IPv6' ? `[${address}]` : address))
  for (const host of ['127.0.0.1', '[::1]', '::ffff:127.0.0.1', ...own]) {
    const offer = memory.offer(`${host}:50000`) ?? assert.fail(host)
    offer.gradients.close()
    assert.equal(CoordinatorMemory.open(offer.places), undefined, 'the file of gradients is closed')
  }
  for (const host of ['192.0.2.1', '[2001:db8::1]']) assert.equal(memory.offer(`${host}:50000`), undefined)
})
