import assert from 'node:assert/strict'
import test from 'node:test'
import type { Cluster, StepResult } from '../../../coordinator/cluster.ts'
import type { RunEvent } from '../../../coordinator/events.ts'
import { freshState, Model } from '../../../coordinator/model.ts'
import { StepUpdate } from '../../../coordinator/step_update.ts'
import { beginning, InterruptedError, train, type EpochResult, type Progress, type TrainingEnd } from '../../../coordinator/training.ts'
import { layoutOf } from '../../../shared/network/layout.ts'
import { networkSchema } from '../../../shared/network/network.ts'
import { adamStep, type OptimizerState } from '../../../shared/train/adam.ts'
import { LaneTree } from '../../../shared/train/lane_tree.ts'
import { Schedule } from '../../../shared/train/schedule.ts'

const network = networkSchema.parse({
  name: 'line', imageSize: 2, classes: 2, mean: [0, 0, 0], std: [1, 1, 1],
  layers: [{ type: 'flatten' }, { type: 'dense', units: 2, bias: true }],
})
const layout = layoutOf(network)
const whole = { begin: 0, end: layout.size }
const schedule = new Schedule({ seed: 0, train: [0, 1, 2, 3], batch: 2, lanes: 1 })
const LEARNING_RATE = 0.1

const gradientOf = (value: number): Float32Array => new Float32Array(layout.size).fill(value)
const spoilt = gradientOf(1)
spoilt[layout.size - 1] = NaN

/** A cluster that computes nothing: the gradient of each step is given, and reduced and stepped as everywhere. */
function clusterOf(model: Model, gradients: readonly Float32Array[]): Cluster {
  return {
    status: { workers: 1, workersWanted: 1, members: [], metricsTargets: [], waiting: false, engine: undefined, fingerprints: {}, totals: { unitsDelivered: 0, unitsDropped: 0, unitsTakenOver: 0, unitsCounted: 0, unitsDealtAgain: 0, workersLost: 0, mostWorkers: 1 }, bytesReceived: 0, bytesSent: 0 },
    gathered: () => Promise.resolve(),
    trainStep: ({ step }, samples, update): Promise<StepResult> => {
      const steps = new StepUpdate({ model, tree: new LaneTree(1), step, samples, update, now: () => 0, round: () => undefined })
      steps.addAll(0, gradients[step].slice())
      const result = steps.finish()
      return Promise.resolve({ ...result, lanes: [{ lane: 0, lossSum: 1, correct: 1, samples, seconds: 0, notFinite: result.notFinite !== undefined }], computedBy: ['one'] })
    },
    evaluate: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  }
}

interface Trained {
  end: TrainingEnd
  model: Model
  events: RunEvent[]
  epochs: EpochResult[]
  reached: Progress[]
}

async function trained(gradients: readonly Float32Array[], onNonfinite: 'stop' | 'skip', from: Progress = beginning, start: OptimizerState = freshState(layout.size)): Promise<Trained> {
  const model = new Model(layout, LEARNING_RATE, { parameters: start.parameters.slice(), m: start.m.slice(), v: start.v.slice() })
  const events: RunEvent[] = []
  const epochs: EpochResult[] = []
  const reached: Progress[] = []
  const end = await train({
    cluster: clusterOf(model, gradients), schedule, epochs: gradients.length / schedule.stepsPerEpoch, onNonfinite, now: () => 0,
    observe: (event) => events.push(event),
    stopRequested: () => false,
    scoreTest: () => ({ loss: 0, accuracy: 0, confusion: [], predictions: [] }),
    keepStep: (progress) => reached.push(progress),
    keepEpoch: (result) => {
      epochs.push(result)
      return Promise.resolve()
    },
  }, from)
  return { end, model, events, epochs, reached }
}

/** What Adam makes of these gradients alone. */
function steppedBy(...gradients: Float32Array[]): OptimizerState {
  const state = freshState(layout.size)
  gradients.forEach((gradient, index) => adamStep(layout, whole, gradient, 2, index + 1, LEARNING_RATE, state, state))
  return state
}

test('a step that is left out is as if it had never been: the optimizer counts the others alone', async () => {
  const { end, model, events, epochs } = await trained([gradientOf(1), spoilt, gradientOf(-3), gradientOf(2)], 'skip')
  assert.deepEqual(model.state, steppedBy(gradientOf(1), gradientOf(-3), gradientOf(2)))
  assert.equal(end.progress.at.step, 4)
  assert.equal(end.progress.skippedSteps, 1)
  assert.equal(end.progress.images, 6)
  assert.deepEqual(epochs.map(({ images, skippedSteps, train: { loss } }) => ({ images, skippedSteps, loss })), [{ images: 2, skippedSteps: 1, loss: 0.5 }, { images: 4, skippedSteps: 0, loss: 0.5 }])
  assert.deepEqual(events.filter(({ type }) => type === 'gradientNotFinite'), [{ type: 'gradientNotFinite', epoch: 1, step: 2, lanes: [0], parameter: 'dense_1/bias', action: 'skip' }])
})

test('resumed after a step that was left out, the optimizer counts on rightly', async () => {
  const gradients = [gradientOf(1), spoilt, gradientOf(-3), gradientOf(2)]
  const { reached, model } = await trained(gradients, 'skip')
  const resumed = await trained(gradients, 'skip', reached[1], steppedBy(gradientOf(1)))
  assert.deepEqual(resumed.model.state, model.state)
})

test('told to stop, training ends before the step, with the state as it was', async () => {
  const { end, model } = await trained([gradientOf(1), spoilt], 'stop')
  assert.ok(end.stopped && end.failure instanceof InterruptedError)
  assert.match(end.failure.message, /^step 2, in epoch 1: the gradient of lane 0 is not finite, first in dense_1\/bias\. /)
  assert.deepEqual(end.progress.at, { epoch: 1, stepInEpoch: 1, step: 1 })
  assert.deepEqual(model.state, steppedBy(gradientOf(1)))
})

test('an epoch of which every step is left out has no loss, and none right', async () => {
  const { epochs: [epoch] } = await trained([spoilt, spoilt], 'skip')
  assert.deepEqual(epoch.train, { loss: NaN, accuracy: 0 })
  assert.deepEqual([epoch.images, epoch.skippedSteps], [0, 2])
})
