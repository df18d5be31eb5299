import assert from 'node:assert/strict'
import test from 'node:test'
import { countTrials, searchSchema, settingsOf } from '../../../../cli/sweep/search.ts'

test('a grid has every combination, the last part changing fastest', () => {
  const search = searchSchema.parse({ name: 'grid', over: { lr: [0.1, 0.2], optimizer: [{ name: 'adam' }], batch: [8, 16] } })
  assert.equal(countTrials(search), 4)
  const optimizer = { name: 'adam' }
  assert.deepEqual(settingsOf(search), [
    { lr: 0.1, optimizer, batch: 8 }, { lr: 0.1, optimizer, batch: 16 }, { lr: 0.2, optimizer, batch: 8 }, { lr: 0.2, optimizer, batch: 16 },
  ])
  assert.deepEqual(settingsOf({ name: 'grid', over: {} }), [{}], 'a search over nothing is one trial: the recipe itself')
})

/** The first two trials of `random`, written down once: other values would change the trials of sweeps that go on. */
const FIRST_TWO = [{ lr: 0.02491, labelSmoothing: 0.1565, imageSize: 32, batch: 16, clip: null }, { lr: 0.00264, labelSmoothing: 0.07784, imageSize: 34, batch: 8, clip: 1 }]
const random = { name: 'random', trials: 200, seed: 7, over: { lr: { logUniform: [1e-4, 1e-1] }, labelSmoothing: { uniform: [0, 0.2] }, imageSize: { whole: [32, 34] }, batch: [8, 16], clip: { choice: [null, 1] } } }

test('drawn values have their distributions', () => {
  const trials = settingsOf(searchSchema.parse(random))
  const valuesOf = (part: string): number[] => trials.map((settings) => Number(settings[part]))
  assert.equal(trials.length, 200)
  assert.ok(valuesOf('lr').every((lr) => lr >= 1e-4 && lr <= 1e-1))
  // A third of the draws is expected in each decade; 200 draws deviate by 0.033 (one standard deviation).
  for (const decade of [1e-4, 1e-3, 1e-2]) assert.ok(Math.abs(valuesOf('lr').filter((lr) => lr >= decade && lr < 10 * decade).length / 200 - 1 / 3) < 0.12)
  assert.ok(valuesOf('labelSmoothing').every((share) => share >= 0 && share < 0.2))
  assert.ok(Math.abs(valuesOf('labelSmoothing').reduce((sum, share) => sum + share, 0) / 200 - 0.1) < 0.015)
  assert.deepEqual([...new Set(valuesOf('imageSize'))].sort(), [32, 33, 34])
  assert.deepEqual([...new Set(valuesOf('batch'))].sort(), [16, 8])
  assert.deepEqual(new Set(trials.map(({ clip }) => clip)), new Set([null, 1]))
  assert.ok(valuesOf('lr').every((lr) => String(lr).replace(/e.*|\./g, '').replace(/^0+/, '').length <= 4), 'few digits')
})

test('a file gives the same trials again; more trials, or another part, change none of them', () => {
  assert.deepEqual(settingsOf(searchSchema.parse({ ...random, trials: 2 })), FIRST_TWO)
  const longer = settingsOf(searchSchema.parse({ ...random, trials: 3, over: { precision: ['f32', 'bf16'], ...random.over } }))
  assert.deepEqual(longer.slice(0, 2), FIRST_TWO.map((trial, index) => ({ precision: longer[index]['precision'], ...trial })))
  assert.notDeepEqual(settingsOf(searchSchema.parse({ ...random, trials: 2, seed: 8 })), FIRST_TWO)
})
