import assert from 'node:assert/strict'
import test from 'node:test'
import { argumentsOf } from '../../../../cli/sweep/coordinator.ts'
import { countEpochs, countKept, survivors } from '../../../../cli/sweep/halving.ts'
import { bestOf, ranked, scoreAfter, trialResult, type RunResult } from '../../../../cli/sweep/results.ts'
import { sweepCsv, sweepTable } from '../../../../cli/sweep/table.ts'
import { historyOf, sweepOf } from './made_up.ts'

test('after a rung the best share goes on, at least one; trials that failed never do, and of equal ones the first', () => {
  assert.deepEqual(survivors([0.1, 0.9, 0.5, 0.7, 0.2, 0.3], 1 / 3), [1, 3])
  assert.deepEqual(survivors([0.5, 0.5, 0.5, 0.5], 0.5), [0, 1])
  assert.deepEqual(survivors([0.2, undefined, 0.1], 0.67), [0, 2])
  assert.deepEqual(survivors([undefined, undefined], 0.5), [])
  assert.deepEqual([[9, 0.33], [27, 1 / 3], [4, 0.1], [1, 0.5]].map(([trials, keep]) => countKept(trials, keep)), [3, 9, 1, 1])
})

test('epochs are counted as they will be trained', () => {
  assert.equal(countEpochs([5, 5, 7], 2, null), 34)
  // Nine trials to epoch 2, three on to epoch 6, one on to epoch 10; two seeds.
  assert.equal(countEpochs(Array(9).fill(10), 2, { epochs: [2, 6], keep: 1 / 3 }), 2 * (9 * 2 + 3 * 4 + 1 * 4))
})

const run = (seed: number, accuracies: readonly number[], more: Partial<RunResult> = {}): RunResult => ({ seed, folder: `trials/1/seed-${seed}`, state: 'finished', history: historyOf(accuracies), ...more })
const trial = { number: 1, settings: { lr: 0.1 }, recipe: {}, epochs: 3 }

test('the score after a rung is the mean over the seeds after that epoch, whatever has been trained since', () => {
  const runs = [run(0, [0.2, 0.4, 0.9]), run(1, [0.3, 0.5])]
  assert.equal(scoreAfter(1, runs, 'accuracy'), 0.25)
  assert.equal(scoreAfter(2, runs, 'accuracy')?.toFixed(6), '0.450000')
  assert.equal(scoreAfter(3, runs, 'accuracy')?.toFixed(6), '0.700000', 'a run that stopped early has its last epoch’s')
  assert.equal(scoreAfter(1, runs, 'loss'), -0.75, 'a lower loss is better')
  assert.equal(scoreAfter(1, [run(0, [0.2]), run(1, [0.9], { state: 'failed' })], 'accuracy'), undefined)
  assert.equal(scoreAfter(1, [run(0, [0.2]), run(1, [])], 'accuracy'), undefined)
  assert.equal(scoreAfter(1, [run(0, [Number.NaN])], 'loss'), undefined)
})

test('a trial has mean and standard deviation over its seeds, and the state of the worst run', () => {
  const result = trialResult(trial, [run(0, [0.1, 0.4]), run(1, [0.1, 0.6])], 'accuracy', false)
  assert.deepEqual({ ...result, spread: result.spread?.toFixed(6), runs: result.runs.length }, { number: 1, settings: { lr: 0.1 }, state: 'finished', epochs: 2, mean: 0.5, spread: '0.141421', seconds: 4, runs: 2 })
  assert.equal(trialResult(trial, [run(0, [0.1])], 'accuracy', false).spread, null)
  assert.equal(trialResult(trial, [run(0, [0.1]), run(1, [0.2], { state: 'open' })], 'accuracy', false).state, 'open')
  assert.equal(trialResult(trial, [run(0, [0.1], { state: 'open' })], 'accuracy', true).state, 'halted')
  assert.deepEqual(trialResult(trial, [run(0, [], { state: 'failed', reason: 'exit code 1' })], 'accuracy', false), {
    number: 1, settings: { lr: 0.1 }, state: 'failed', epochs: 0, mean: null, spread: null, seconds: 0, runs: [{ seed: 0, folder: 'trials/1/seed-0', state: 'failed', epochs: 0, accuracy: null, loss: null, seconds: 0, reason: 'exit code 1' }],
  })
})

test('trials are in the order of their mean, halted ones behind, failed ones last', () => {
  const { trials } = sweepOf()
  assert.deepEqual(trials.map(({ number, state }) => [number, state]), [[3, 'finished'], [1, 'finished'], [5, 'halted'], [2, 'halted'], [4, 'failed']])
  assert.equal(bestOf(trials)?.number, 3)
  assert.deepEqual(ranked(trials, 'loss').map(({ number }) => number), [1, 3, 5, 2, 4])
  assert.equal(bestOf(trials.filter(({ state }) => state !== 'finished')), undefined)
})

test('table and CSV have all parts of the trials and all runs', () => {
  const lines = sweepTable(sweepOf())
  assert.match(lines[0], /^trial +lr +optimizer +accuracy +epochs +time +state$/)
  assert.match(lines[1].replaceAll('\u00a0', ' '), /^3 +0\.03 +adamw \(weightDecay 0\.1\) +70\.0 % ± 14\.1 % +3 +6\.0 s +finished$/)
  const csv = sweepCsv(sweepOf()).trimEnd().split('\n')
  assert.equal(csv[0], 'trial,trialState,lr,optimizer,seed,state,epochs,accuracy,loss,seconds,folder')
  assert.equal(csv[1], '3,finished,0.03,"{""name"":""adamw"",""weightDecay"":0.1}",0,finished,3,0.6,0.4,3,trials/3/seed-0')
  assert.equal(csv.length, 1 + 10)
  assert.match(csv[9], /^4,failed,0\.04,.*,0,failed,0,,,0,trials\/4\/seed-0$/)
})

test('runs at the same time have GPUs of their own, and all other options of a coordinator', () => {
  const start = { data: 'd', fraction: 0.36, recipeFile: 'r.json', seed: 5, epochs: 2, run: 'o', log: 'l', place: 2 }
  assert.deepEqual(argumentsOf(start, { localWorkers: null, gpu: null }), ['--data', 'd', '--test-fraction', '0.36', '--recipe', 'r.json', '--seed', '5', '--epochs', '2', '--out', 'o', '--resume', 'auto', '--pictures', 'off', '--single-node'])
  assert.deepEqual(argumentsOf(start, { localWorkers: 2, gpu: 1 }).slice(-6), ['--local-workers', '2', '--listen', '127.0.0.1:0', '--gpu', '5'])
})
