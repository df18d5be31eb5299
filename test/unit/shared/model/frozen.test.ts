import assert from 'node:assert/strict'
import test from 'node:test'
import { UsageError } from '../../../../shared/kit/errors.ts'
import { frozenOf, thawed, trainedOf, wholeOf, withFrozen } from '../../../../shared/model/frozen.ts'
import { frozenLayoutOf, layoutOf, wholeLayoutOf, type Layout } from '../../../../shared/model/layout.ts'
import { buildNetwork } from '../../../../shared/model/models.ts'
import { networkSchema } from '../../../../shared/model/network.ts'
import { withGroupRates } from '../../../../shared/optim/group_rates.ts'

const network = networkSchema.parse({
  name: 'test', imageSize: 6, classes: 3, mean: [0, 0, 0], std: [1, 1, 1],
  layers: [{ type: 'conv2d', filters: 5, kernel: 3 }, { type: 'batchNorm' }, { type: 'flatten' }, { type: 'dense', units: 4 }, { type: 'dense', units: 3 }],
})
const names = ({ parameters }: Layout): string[] => parameters.map(({ name }) => name)
const whole = Float32Array.from({ length: layoutOf(network).size }, (_, index) => index)

test('what is frozen is no part of the vector that is exchanged', () => {
  const frozen = withFrozen(network, ['conv2d_1/kernel', 'dense_1'])
  assert.deepEqual(names(frozenLayoutOf(frozen)), ['conv2d_1/kernel', 'dense_1/kernel', 'dense_1/bias'])
  assert.deepEqual(names(layoutOf(frozen)), ['conv2d_1/bias', 'batchNorm_1/gamma', 'batchNorm_1/beta', 'batchNorm_1/runningMean', 'batchNorm_1/runningVariance', 'dense_2/kernel', 'dense_2/bias'])
  assert.deepEqual(layoutOf(frozen).parameters.map(({ offset }) => offset), [0, 5, 10, 15, 20, 25, 37])
  assert.equal(layoutOf(frozen).size + frozenLayoutOf(frozen).size, whole.length)
  assert.deepEqual(names(wholeLayoutOf(frozen)), names(layoutOf(network)))
})

test('vectors of what is trained and of what is frozen come apart and together without a change', () => {
  const frozen = withFrozen(network, ['batchNorm_1', '*/bias'])
  const [trained, kept] = [trainedOf(frozen, whole), frozenOf(frozen, whole)]
  assert.deepEqual([trained.length, kept.length], [layoutOf(frozen).size, frozenLayoutOf(frozen).size])
  assert.deepEqual([...trained, ...kept].toSorted((a, b) => a - b), [...whole])
  assert.deepEqual(wholeOf(frozen, trained, kept), whole)
  assert.equal(trainedOf(network, whole), whole, 'without a copy where nothing is frozen')
  assert.equal(wholeOf(network, whole, new Float32Array()), whole)
})

test('the statistics of a batch norm stay exactly if its gamma and beta do', () => {
  assert.deepEqual(names(frozenLayoutOf(withFrozen(network, ['batchNorm_1']))), ['batchNorm_1/gamma', 'batchNorm_1/beta', 'batchNorm_1/runningMean', 'batchNorm_1/runningVariance'])
  assert.deepEqual(names(frozenLayoutOf(withFrozen(network, ['batchNorm_1/gamma']))), ['batchNorm_1/gamma'])
})

test('without patterns the network is what it was, and frozen ones thaw', () => {
  assert.equal(withFrozen(network, []), network)
  assert.deepEqual(thawed(withFrozen(network, ['backbone'])), network)
  assert.ok(!('frozen' in thawed(network)))
})

test('of a network for fine-tuning a thousandth is left to exchange', () => {
  const lite = buildNetwork('efficientnet_lite0', { imageSize: 224, classes: 3 })
  assert.equal(layoutOf(withFrozen(lite, ['backbone'])).size, 1280 * 3 + 3)
  assert.ok(layoutOf(lite).size > 3_300_000)
})

test('to freeze nothing that exists, or everything, is refused, and so are learning rates of what is frozen', () => {
  assert.throws(() => withFrozen(network, ['conv']), (error: unknown) => error instanceof UsageError && /^--freeze conv: no parameter of network test is named conv/.test(error.message))
  assert.throws(() => withFrozen(network, ['backbone', 'head']), (error: unknown) => error instanceof UsageError && /^--freeze backbone,head: these are all parameters of network test, and nothing is left to train/.test(error.message))
  const frozen = withFrozen(network, ['backbone'])
  const rates = (pattern: string): Layout => withGroupRates(layoutOf(frozen), frozen, { lr: 1, lrOf: [{ parameters: pattern, rate: 0.5 }] })
  assert.throws(() => rates('conv2d_1'), /--lr-of conv2d_1=0\.5: these parameters are frozen by --freeze/)
  assert.deepEqual(rates('dense_*').parameters.map(({ name, rateFactor }) => [name, rateFactor]), [['dense_2/kernel', 0.5], ['dense_2/bias', 0.5]])
})

test('a network that comes from elsewhere with something else frozen is refused', () => {
  assert.throws(() => layoutOf({ ...network, frozen: ['dense_9/kernel'] }), /frozen that the network does not have/)
  assert.throws(() => layoutOf({ ...network, frozen: names(layoutOf(network)) }), /nothing is left to train/)
  assert.throws(() => layoutOf({ ...network, frozen: ['batchNorm_1/runningMean'] }), /batchNorm_1\/runningMean is not frozen together with gamma and beta/)
  assert.throws(() => layoutOf({ ...network, frozen: ['batchNorm_1/gamma', 'batchNorm_1/beta'] }), /not frozen together/)
})
