import assert from 'node:assert/strict'
import test from 'node:test'
import { parseSpec } from '../../../../cli/sweep/spec.ts'
import { trialsOf } from '../../../../cli/sweep/trials.ts'
import { UsageError } from '../../../../shared/kit/errors.ts'

const lr = { name: 'grid', over: { lr: [0.001, 0.01] } }
const minimal = { data: 'raw-img', search: lr }
const trials = (json: object): ReturnType<typeof trialsOf> => trialsOf(parseSpec(json, 'a.json'), 'a.json')

test('what a file leaves out has its default', () => {
  assert.deepEqual(parseSpec(minimal, 'a.json'), {
    data: 'raw-img', search: lr, base: {}, seeds: [0], validation: 0.2, measure: 'accuracy', halving: null, parallel: 1, localWorkers: null, gpu: null,
  })
  assert.deepEqual(parseSpec({ ...minimal, seeds: 3, halving: { epochs: [2] } }, 'a.json').seeds, [0, 1, 2])
  assert.deepEqual(parseSpec({ ...minimal, recipe: 'finetune', overrides: { lr: 0.5 }, seeds: [4, 2] }, 'a.json').base['lr'], 0.5)
})

const wrong: [change: object, says: RegExp][] = [
  [{ data: undefined }, /^a\.json: data: nothing: expected the folder of images/],
  [{ serch: 1 }, /^a\.json: serch: there is no such field; the fields are data, recipe, /],
  [{ seeds: [1, 1] }, /seeds: \[1,1\]: expected how many seeds/],
  [{ validation: 1 }, /validation: 1: expected the share of the training images/],
  [{ halving: { epochs: [3, 3] } }, /halving\.epochs: \[3,3\]: expected ascending numbers/],
  [{ halving: { epochs: [3], keep: 2 } }, /halving\.keep: 2: /],
  [{ search: { name: 'grid', over: { lr: 0.1 } } }, /search\.over\.lr: 0\.1: expected a list of values/],
  [{ search: { name: 'random', trials: 2, over: { lr: { logUniform: [0, 1] } } } }, /search\.over\.lr\.logUniform: \[0,1\]: expected low above 0/],
  [{ search: { name: 'random', trials: 2, over: { lr: { normal: [0, 1] } } } }, /search\.over\.lr: {"normal":\[0,1\]}: expected a list of values, {"choice"/],
  [{ recipe: 'of-tomorrow' }, /--recipe of-tomorrow: neither a recipe that comes with Herd/],
  [{ search: { name: 'grid', over: { seed: [1, 2] } } }, /search\.over\.seed: say it by "seeds"/],
  [{ search: { name: 'grid', over: { testFraction: [0.1, 0.2] } } }, /search\.over\.testFraction: trials that are tested on different images/],
  [{ search: { name: 'grid', over: { epochs: [3, 4] } }, halving: { epochs: [2] } }, /search\.over\.epochs: with halving, every trial has the same/],
  [{ overrides: { seed: 3 } }, /a\.json: seed: say it by "seeds"/],
  [{ overrides: { epochs: 6 }, halving: { epochs: [2, 6] } }, /halving\.epochs: 6: expected less than the recipe's epochs, 6\./],
  [{ search: { name: 'grid', over: { lr: Array(40).fill(1), batch: Array(40).fill(8) } } }, /search\.over: comes to 1600 trials, where at most 1000 may be/],
  [{ search: { name: 'grid', over: { lr: [0.1, -1] } } }, /^a\.json: trial 2 \(lr -1\): lr: -1: expected a number above 0\.$/],
  [{ search: { name: 'grid', over: { 'optimizer.weightDecay': [0.1] } } }, /trial 1 \(optimizer\.weightDecay 0\.1\): optimizer: .*"weightDecay":0\.1}: expected the name of an optimizer/],
  [{ search: { name: 'grid', over: { 'augmentation.9.degrees': [1, 2] } } }, /augmentation\.9\.degrees: expected the place of one of \d items, from 0, and not "9"\.$/],
  [{ search: { name: 'grid', over: { 'model.layers': [1] } } }, /model\.layers: there is nothing with settings at "article"/],
  [{ search: { name: 'grid', over: { '__proto__x.y': [1] } } }, /__proto__x\.y: there is no __proto__x with settings/],
  [{ search: { name: 'grid', over: { lanes: [8, 128] } } }, /trial 2 \(lanes 128\): --lanes 128: expected at most --batch 64/],
]
for (const [change, says] of wrong) {
  test(`refuses ${JSON.stringify(change).slice(0, 90)}, and names it`, () => {
    assert.throws(() => trials({ ...minimal, ...change }), (error) => error instanceof UsageError && says.test(error.message) || assert.fail(String(error)))
  })
}

test('settings with dots are set in the part that the trial has, whichever comes first in the file', () => {
  const over = { 'optimizer.weightDecay': [0.1, 0.2], optimizer: [{ name: 'adamw' }], 'augmentation.1.degrees': [10], batch: [32] }
  const [first, second, ...more] = trials({ ...minimal, overrides: { 'augmentation.0.probability': 0.25 }, search: { name: 'grid', over } })
  assert.equal(more.length, 0)
  assert.deepEqual(first.recipe.optimizer, { name: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 })
  assert.deepEqual(second.recipe.optimizer, { ...first.recipe.optimizer, weightDecay: 0.2 })
  assert.deepEqual(first.recipe.augmentation?.slice(0, 2), [{ name: 'flip', probability: 0.25 }, { name: 'rotate', degrees: 10 }])
  assert.deepEqual(Object.keys(first.recipe).sort(), ['augmentation', 'batch', 'optimizer'], 'the rest is the article’s')
})

test('a schedule is as long as the whole run, unless it says how long', () => {
  const lengths = trials({ ...minimal, overrides: { epochs: 9 }, halving: { epochs: [2] }, search: { name: 'grid', over: { schedule: [{ name: 'oneCycle' }, { name: 'cosine', epochs: 4 }, { name: 'constant' }] } } })
  assert.deepEqual(lengths.map(({ recipe, epochs }) => [recipe.schedule?.name, recipe.schedule !== undefined && 'epochs' in recipe.schedule ? recipe.schedule.epochs : undefined, epochs]), [['oneCycle', 9, 9], ['cosine', 4, 9], [undefined, undefined, 9]])
})
