import assert from 'node:assert/strict'
import test from 'node:test'
import { Paced } from '../../../../shared/kit/paced.ts'

/** Numbers that are handled at most every ten seconds of a clock that the test sets, and refused while the disk is full. */
function pacedAt(): { paced: Paced<number>; handled: number[]; set: (state: { seconds?: number; full?: boolean }) => void } {
  const handled: number[] = []
  let [now, refuses] = [0, false]
  const handle = (item: number): Promise<void> => (refuses ? Promise.reject(new Error('full')) : Promise.resolve(void handled.push(item)))
  const set = ({ seconds = now, full = refuses }: { seconds?: number; full?: boolean }): void => void ([now, refuses] = [seconds, full])
  return { paced: new Paced({ seconds: 10, now: () => now, handle }), handled, set }
}

test('the first item is handled, then one every ten seconds at most, and what is left in the end, once', async () => {
  const { paced, handled, set } = pacedAt()
  for (const [item, seconds] of [[1, 0], [2, 3], [3, 10], [4, 19.9], [5, 20], [6, 23]]) {
    set({ seconds })
    await paced.take(item)
  }
  assert.deepEqual(handled, [1, 3, 5])
  await paced.handleRest()
  await paced.handleRest()
  assert.deepEqual(handled, [1, 3, 5, 6])
})

test('after an item that could not be handled the next one is, however soon it comes', async () => {
  const { paced, handled, set } = pacedAt()
  set({ full: true })
  await assert.rejects(paced.take(1), /full/)
  set({ seconds: 1, full: false })
  await paced.take(2)
  assert.deepEqual(handled, [2])
})

test('the last item waits until it is handled, and is not lost to one that could not be', async () => {
  const { paced, handled, set } = pacedAt()
  await paced.take(1)
  await paced.take(2)
  set({ full: true })
  await assert.rejects(paced.handleRest(), /full/)
  set({ full: false })
  await paced.handleRest()
  assert.deepEqual(handled, [1, 2])
})
