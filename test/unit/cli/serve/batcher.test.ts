import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Batcher } from '../../../../cli/serve/batcher.ts'
import { deferred, type Deferred } from '../../../../shared/kit/async.ts'

/** Computes nothing until it is told to: an image's two logits are its first byte and the batch's size. */
class Gate {
  readonly batches: number[][] = []
  readonly #gates: Deferred<undefined>[] = []

  readonly compute = async (pixels: Uint8Array, count: number): Promise<Float32Array> => {
    const firsts = Array.from({ length: count }, (_, index) => pixels[(index * pixels.length) / count])
    this.batches.push(firsts)
    const gate = deferred<undefined>()
    this.#gates.push(gate)
    await gate.promise
    return Float32Array.from(firsts.flatMap((first) => [first, count]))
  }

  open(): void {
    this.#gates.shift()?.resolve(undefined)
  }

  break(error: Error): void {
    this.#gates.shift()?.reject(error)
  }
}

const image = (value: number): Uint8Array => new Uint8Array([value, 0, 0])
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('an image waits for others while nothing is computed, those that come meanwhile are one batch, up to its limit', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const gate = new Gate()
  const batcher = new Batcher(gate.compute, { maxBatch: 3, maxWaitMs: 5 })
  const first = [1, 2].map((value) => batcher.logits(image(value)))
  t.mock.timers.tick(4)
  assert.deepEqual(gate.batches, [])
  t.mock.timers.tick(1)
  assert.deepEqual(gate.batches, [[1, 2]])
  const later = [3, 4, 5, 6].map((value) => batcher.logits(image(value)))
  t.mock.timers.tick(100)
  assert.equal(gate.batches.length, 1, 'one batch is computed at a time')
  gate.open()
  assert.deepEqual((await Promise.all(first)).map((row) => [...row]), [[1, 2], [2, 2]])
  await settled()
  assert.deepEqual(gate.batches[1], [3, 4, 5])
  gate.open()
  await settled()
  assert.deepEqual(gate.batches[2], [6], 'what waited for the engine does not wait for others too')
  gate.open()
  assert.deepEqual((await Promise.all(later)).map((row) => [...row]), [[3, 3], [4, 3], [5, 3], [6, 1]])
})

test('a full batch waits for nothing; a batch that fails fails for its images alone', async () => {
  const gate = new Gate()
  const batcher = new Batcher(gate.compute, { maxBatch: 2, maxWaitMs: 1e6 })
  const [one, two, three, four] = [1, 2, 3, 4].map((value) => batcher.logits(image(value)))
  assert.deepEqual(gate.batches, [[1, 2]])
  gate.break(new Error('out of memory'))
  await assert.rejects(one, /out of memory/)
  await assert.rejects(two, /out of memory/)
  await settled()
  gate.open()
  assert.deepEqual([[...(await three)], [...(await four)]], [[3, 2], [4, 2]])
})
