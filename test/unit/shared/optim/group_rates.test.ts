import assert from 'node:assert/strict'
import test from 'node:test'
import { layoutOf, viewOf } from '../../../../shared/model/layout.ts'
import { networkSchema } from '../../../../shared/model/network.ts'
import { withGroupRates } from '../../../../shared/optim/group_rates.ts'
import { freshState } from '../../../../shared/optim/optimizer.ts'
import { optimizerOf, optimizerSchema } from '../../../../shared/optim/optimizers.ts'
import { Model } from '../../../../shared/optim/stepped_weights.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'
import { recipeTable } from '../../../../shared/recipe/table.ts'

const network = networkSchema.parse({
  name: 'test', imageSize: 6, classes: 3, mean: [0, 0, 0], std: [1, 1, 1],
  layers: [{ type: 'conv2d', filters: 5, kernel: 3 }, { type: 'batchNorm' }, { type: 'flatten' }, { type: 'dense', units: 4 }, { type: 'dense', units: 3 }],
})
const layout = layoutOf(network)
const LR = 0.01
const random = new KeyedRandom(8, Purpose.draw)
const randomVector = (): Float32Array => Float32Array.from({ length: layout.size }, () => random.normal())
const start = randomVector()
const sums = [randomVector(), randomVector(), randomVector()]

/** Weights after three updates, whose rates fall as by a schedule, in ranges of so many elements. */
function trained(of: ReturnType<typeof layoutOf>, options: { name: string }, lr: number, cut: number): Float32Array {
  const optimizer = optimizerOf(optimizerSchema.parse(options))
  const model = new Model(of, optimizer, { ...freshState(optimizer, of.size), parameters: start })
  sums.forEach((sum, index) => {
    const step = { samples: 7, update: index + 1, rate: lr / (index + 1), scale: 1 }
    for (let begin = 0; begin < of.size; begin += cut) model.stepRange({ begin, end: Math.min(of.size, begin + cut) }, sum.subarray(begin, begin + cut), step)
    model.commit()
  })
  return model.parameters
}

for (const options of [{ name: 'adam' }, { name: 'adamw', weightDecay: 0.1 }, { name: 'sgd', nesterov: true, weightDecay: 0.1 }, { name: 'adam', lookahead: { every: 2, share: 0.5 } }]) {
  test(`by ${JSON.stringify(options)} each group is stepped as a run of its rate steps it, wherever ranges are cut`, () => {
    const lrOf = [{ parameters: 'backbone', rate: LR / 4 }, { parameters: 'dense_1', rate: LR * 2 }]
    const rated = withGroupRates(layout, network, { lr: LR, lrOf })
    const found = trained(rated, options, LR, layout.size)
    for (const cut of [1, 7, 64]) assert.deepEqual(trained(rated, options, LR, cut), found)
    const rateOf = (name: string): number => (name.startsWith('dense_1/') ? LR * 2 : name.startsWith('dense_2/') ? LR : LR / 4)
    for (const parameter of layout.parameters) {
      assert.deepEqual(viewOf(found, parameter), viewOf(trained(layout, options, rateOf(parameter.name), layout.size), parameter), parameter.name)
    }
    assert.notDeepEqual(found, trained(layout, options, LR, layout.size))
  })
}

test('a rate that is the run\'s own changes no bit, and neither does none', () => {
  assert.equal(withGroupRates(layout, network, { lr: LR, lrOf: [] }), layout)
  const same = withGroupRates(layout, network, { lr: LR, lrOf: [{ parameters: '*', rate: LR }] })
  assert.deepEqual(trained(same, { name: 'adamw' }, LR, 20), trained(layout, { name: 'adamw' }, LR, 20))
})

test('groups are written with commas, or one by one', () => {
  const { schema, written } = recipeTable.lrOf.option
  const groups = [{ parameters: 'backbone', rate: 1e-4 }, { parameters: 'layer4.*', rate: 0.002 }]
  assert.deepEqual(schema.parse('backbone=1e-4, layer4.*=0.002'), groups)
  assert.deepEqual(schema.parse(['backbone=1e-4', 'layer4.*=0.002']), groups)
  assert.deepEqual(schema.parse(groups), groups)
  assert.deepEqual(schema.parse(written?.(groups)), groups)
  assert.deepEqual([schema.parse('none'), schema.parse(['none']), schema.parse([])], [[], [], []])
  for (const wrong of ['backbone', 'backbone=', '=1', 'backbone=0', 'backbone=fast', 'a b=1', 'backbone=1e-4,']) assert.equal(schema.safeParse(wrong).success, false, wrong)
})
