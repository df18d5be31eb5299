import assert from 'node:assert/strict'
import test from 'node:test'
import { Plots } from '../../../../coordinator/record/plots.ts'
import { WriteError } from '../../../../shared/kit/errors.ts'

/** Plots on a clock that the test sets, with a folder that records what is drawn. */
function plotsAt(): { plots: Plots; drawn: number[]; set: (state: { seconds?: number; full?: boolean }) => void } {
  const drawn: number[] = []
  let [now, refuses] = [0, false]
  const folder = {
    writeCurves: (): Promise<void> => (refuses ? Promise.reject(new WriteError('full')) : Promise.resolve()),
    writeConfusion: ([[first]]: readonly (readonly number[])[]): Promise<void> => Promise.resolve(void drawn.push(first)),
  }
  const set = ({ seconds = now, full = refuses }: { seconds?: number; full?: boolean }): void => void ([now, refuses] = [seconds, full])
  return { plots: new Plots({ folder, classes: ['a'], now: () => now }), drawn, set }
}

test('the first epoch is drawn, then one every ten seconds at most, and what is left in the end, once', async () => {
  const { plots, drawn, set } = plotsAt()
  for (const [epoch, seconds] of [[1, 0], [2, 3], [3, 9.9], [4, 10], [5, 12], [6, 13]]) {
    set({ seconds })
    await plots.take([[epoch]])
  }
  assert.deepEqual(drawn, [1, 4])
  await plots.drawRest()
  await plots.drawRest()
  assert.deepEqual(drawn, [1, 4, 6])
})

test('what the disk refuses is drawn with the next epoch, however soon', async () => {
  const { plots, drawn, set } = plotsAt()
  set({ full: true })
  await assert.rejects(plots.take([[1]]), WriteError)
  set({ full: false, seconds: 1 })
  await plots.take([[2]])
  assert.deepEqual(drawn, [2])
})
