import assert from 'node:assert/strict'
import test from 'node:test'
import { Checkpointer } from '../../../coordinator/record/checkpointer.ts'
import { checkpointFacts } from '../../../coordinator/record/checkpoint_position.ts'
import type { Cluster, StepResult } from '../../../coordinator/contract/cluster.ts'
import type { RunEvent } from '../../../coordinator/contract/events.ts'
import { freshState as freshStateOf, type OptimizerState } from '../../../shared/optim/optimizer.ts'
import { defaultOptimizer, optimizerOf } from '../../../shared/optim/optimizers.ts'
import { Model } from '../../../shared/optim/stepped_weights.ts'
import { weightsOf } from '../../../coordinator/exchange/reduction.ts'
import { StepUpdate } from '../../../coordinator/exchange/step_update.ts'
import { bestEpoch, stopsAfter } from '../../../coordinator/contract/best_epoch.ts'
import { train, type TrainingEnd, type TrainingParts } from '../../../coordinator/training.ts'
import { InterruptedError, StoppedWhileWaiting } from '../../../coordinator/contract/interruptions.ts'
import { beginning, type EpochResult, type Progress } from '../../../coordinator/contract/progress.ts'
import type { Checkpoint } from '../../../shared/checkpoint/checkpoint.ts'
import { layoutOf } from '../../../shared/model/layout.ts'
import { networkSchema } from '../../../shared/model/network.ts'
import { stepRange } from '../../../shared/optim/step_range.ts'
import { LaneTree } from '../../../shared/lanes/lane_tree.ts'
import { Schedule } from '../../../shared/lanes/sample_schedule.ts'

const network = networkSchema.parse({
  name: 'line', imageSize: 2, classes: 2, mean: [0, 0, 0], std: [1, 1, 1],
  layers: [{ type: 'flatten' }, { type: 'dense', units: 2, bias: true }],
})
const layout = layoutOf(network)
const whole = { begin: 0, end: layout.size }
const schedule = new Schedule({ seed: 0, train: [0, 1, 2, 3], batch: 2, lanes: 1 })
const LEARNING_RATE = 0.1
const optimizer = optimizerOf(defaultOptimizer)
const freshState = (): OptimizerState => freshStateOf(optimizer, layout.size)

const gradientOf = (value: number): Float32Array => new Float32Array(layout.size).fill(value)
const spoilt = gradientOf(1)
spoilt[layout.size - 1] = NaN

/** A cluster that computes nothing: the gradient of each step is given, then reduced and stepped as in any cluster. */
function clusterOf(model: Model, gradients: readonly Float32Array[]): Cluster {
  return {
    status: { workers: 1, workersWanted: 1, members: [], metricsTargets: [], waiting: false, engine: undefined, fingerprints: {}, inputs: [], totals: { lanesDelivered: 0, lanesDropped: 0, lanesTakenOver: 0, lanesCounted: 0, lanesDealtAgain: 0, workersLost: 0, mostWorkers: 1 }, bytesReceived: 0, bytesSent: 0 },
    gathered: () => Promise.resolve(),
    trainStep: ({ step }, numbers): Promise<StepResult> => {
      const { samples } = numbers
      const steps = new StepUpdate({ model, tree: new LaneTree(1), step, ...numbers, clip: null, now: () => 0, round: () => undefined })
      steps.addAll(0, gradients[step].slice())
      const result = steps.finish()
      return Promise.resolve({ ...result, lanes: [{ lane: 0, lossSum: 1, correct: 1, samples, seconds: 0, notFinite: result.notFinite !== undefined }], computedBy: ['one'] })
    },
    evaluate: () => Promise.resolve([]),
    evaluatesBeside: false,
    confirmed: () => Promise.resolve(),
    fail: () => undefined,
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

/** The parts of a training with these gradients, and the records of its results. */
function training(gradients: readonly Float32Array[], onNonfinite: 'stop' | 'skip', start: OptimizerState = freshState()): Omit<Trained, 'end'> & { parts: TrainingParts } {
  const model = new Model(layout, optimizer, start)
  const events: RunEvent[] = []
  const epochs: EpochResult[] = []
  const reached: Progress[] = []
  const parts: TrainingParts = {
    cluster: clusterOf(model, gradients), schedule, epochs: gradients.length / schedule.stepsPerEpoch, rateOf: () => LEARNING_RATE, onNonfinite, now: () => 0,
    observe: (event) => events.push(event),
    stopRequested: () => false,
    stopsAfter: () => false,
    scoreTest: () => ({ loss: 0, accuracy: 0, confusion: [], predictions: [] }),
    keepStep: (progress) => reached.push(progress),
    reached: () => undefined,
    keepIsDue: () => true,
    hold: () => ({ state: weightsOf(model).snapshot(), since: 0 }),
    keepDigests: () => Promise.resolve(),
    keepEpoch: (result) => {
      epochs.push(result)
      return Promise.resolve()
    },
  }
  return { parts, model, events, epochs, reached }
}

async function trained(gradients: readonly Float32Array[], onNonfinite: 'stop' | 'skip', from: Progress = beginning, start?: OptimizerState): Promise<Trained> {
  const { parts, ...rest } = training(gradients, onNonfinite, start)
  return { end: await train(parts, from), ...rest }
}

/** A disk that writes only on demand. */
class SlowDisk {
  readonly latest = 'latest.ckpt'
  readonly saved: Checkpoint[] = []
  readonly #asked: (() => void)[] = []

  get asked(): number {
    return this.saved.length + this.#asked.length
  }

  save(checkpoint: Checkpoint): Promise<number> {
    return new Promise((resolve) => this.#asked.push(() => {
      this.saved.push(checkpoint)
      resolve(1)
    }))
  }

  ofEpoch(epoch: number): string { return `epoch-${epoch}.ckpt` }
  ofStep(step: number): string { return `step-${step}.ckpt` }

  /** Completes all writes that were asked for. */
  write(): void {
    for (const write of this.#asked.splice(0)) write()
  }
}

/** Lets everything happen that can without further input. */
const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** The state after the optimizer's steps with these gradients only. */
function steppedBy(...gradients: Float32Array[]): OptimizerState {
  const state = freshState()
  gradients.forEach((gradient, index) => stepRange(layout, optimizer, { range: whole, sum: gradient, step: { samples: 2, update: index + 1, rate: LEARNING_RATE, scale: 1 }, from: state, to: state }))
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

const four = [1, -3, 2, 5].map(gradientOf)

test("an epoch's checkpoint is written while the next epoch is trained, as it was; its end waits, and the run's", async () => {
  const { parts, model, events, reached } = training([...four, gradientOf(4), gradientOf(3)], 'stop')
  const disk = new SlowDisk()
  const facts = { network, classes: ['a', 'b'], config: {}, optimizer: { name: 'adam', moments: ['m', 'v'] }, datasetDigest: '0'.repeat(64), stepsPerEpoch: schedule.stepsPerEpoch }
  const checkpointer = new Checkpointer({ folder: disk, weights: weightsOf(model), factsOf: (progress) => checkpointFacts(facts, progress), everySeconds: 0, now: () => 0, observe: parts.observe })
  const order: string[] = []
  const end = train({
    ...parts,
    keepStep: (progress) => {
      parts.keepStep(progress)
      checkpointer.offer(progress)
    },
    keepEpoch: async (result, progress, held) => {
      order.push(`history ${result.epoch}`)
      await checkpointer.save(progress, { keep: false, held })
      order.push(`epoch ${result.epoch}`)
    },
  }, beginning)
  let ended = false
  void end.then(() => (ended = true))

  await turns()
  assert.equal(reached.at(-1)?.at.step, 4, 'every step of the second epoch is taken before the disk has written the first')
  assert.deepEqual([disk.asked, disk.saved.length], [1, 0], 'what the second epoch came to waits for its turn')
  assert.deepEqual(order, ['history 1'])
  disk.write()
  await turns()
  assert.deepEqual(order, ['history 1', 'epoch 1', 'history 2'])
  assert.equal(reached.at(-1)?.at.step, 6)
  disk.write()
  await turns()
  assert.deepEqual([disk.asked, disk.saved.length, ended], [3, 2, false], 'the run ends when its last epoch is kept')
  disk.write()
  assert.equal((await end).stopped, false)
  assert.deepEqual(order, [1, 2, 3].flatMap((epoch) => [`history ${epoch}`, `epoch ${epoch}`]))
  disk.saved.forEach(({ parameters, moments }, index) => {
    assert.deepEqual({ parameters, moments }, steppedBy(...[...four, gradientOf(4), gradientOf(3)].slice(0, 2 * (index + 1))), 'the state of the epoch\'s end')
  })
  assert.deepEqual(events.flatMap((event) => (event.type === 'checkpoint' ? [event.step] : [])), [2, 4, 6])
})

test('a run that is stopped has ended when the epoch before is kept', async () => {
  const { parts, epochs } = training(four, 'stop')
  let release: () => void = () => undefined
  let stop = false
  const end = train({
    ...parts,
    stopRequested: () => stop,
    keepStep: ({ at }) => (stop = at.step === 3),
    keepEpoch: async (result) => {
      await new Promise<void>((resolve) => (release = resolve))
      epochs.push(result)
    },
  }, beginning)
  let ended = false
  void end.then(() => (ended = true))
  await turns()
  assert.deepEqual([stop, ended, epochs.length], [true, false, 0])
  release()
  const { stopped, progress, last } = await end
  assert.deepEqual([stopped, progress.at, last?.epoch, epochs.length], [true, { epoch: 2, stepInEpoch: 1, step: 3 }, 1, 1])
})

test('what goes wrong with keeping an epoch ends the run at its next step, or at its end', async () => {
  for (const failing of [1, 2]) {
    const { parts, reached } = training(four, 'stop')
    const { cluster } = parts
    const slow: Cluster = { ...cluster, trainStep: (...step) => turns().then(() => cluster.trainStep(...step)) }
    await assert.rejects(train({ ...parts, cluster: slow, keepEpoch: ({ epoch }) => (epoch === failing ? Promise.reject(new Error(`epoch ${epoch} is broken`)) : Promise.resolve()) }, beginning), { message: `epoch ${failing} is broken` })
    assert.equal(reached.length, failing === 1 ? 2 : 4)
  }
})

test('a step that fails waits for the epoch that is being kept, and is what the run fails with', async () => {
  const { parts, epochs } = training(four, 'stop')
  const { cluster } = parts
  await assert.rejects(train({
    ...parts,
    cluster: { ...cluster, trainStep: (at, ...rest) => (at.step === 3 ? Promise.reject(new Error('no step')) : cluster.trainStep(at, ...rest)) },
    keepEpoch: async (result) => {
      await turns()
      epochs.push(result)
    },
  }, beginning), { message: 'no step' })
  assert.equal(epochs.length, 1)
})

/** A cluster whose evaluations go on beside steps, and end on demand, with the weights with which they began. */
function testingBeside(cluster: Cluster, model: Model): { cluster: Cluster; evaluations: { at: number; parameters: Float32Array; end: () => void; fail: (error: Error) => void }[] } {
  const evaluations: { at: number; parameters: Float32Array; end: () => void; fail: (error: Error) => void }[] = []
  return {
    evaluations,
    cluster: {
      ...cluster,
      evaluatesBeside: true,
      evaluate: ({ step }) => new Promise((resolve, reject) => evaluations.push({ at: step, parameters: model.parameters.slice(), end: () => resolve([]), fail: reject })),
    },
  }
}

test('an epoch is tested while the next one is trained, and kept as it was when it has been; the end of the next one waits for it', async () => {
  const gradients = [...four, gradientOf(4), gradientOf(3)]
  const { parts, model, events, epochs, reached } = training(gradients, 'stop')
  const { cluster, evaluations } = testingBeside(parts.cluster, model)
  const kept: { step: number; state: OptimizerState }[] = []
  const end = train({
    ...parts, cluster, keepIsDue: () => false,
    keepEpoch: async (result, progress, held) => {
      epochs.push(result)
      kept.push({ step: progress.at.step, state: await held.state })
    },
  }, beginning)
  await turns()
  assert.deepEqual(evaluations.map(({ at }) => at), [2])
  assert.equal(model.parameters[0], steppedBy(...gradients.slice(0, 4)).parameters[0], 'all of the second epoch is trained')
  assert.deepEqual([reached.map(({ at }) => at.step), epochs.length], [[1, 2], 0], 'nothing later is kept before it')
  evaluations[0].end()
  await turns()
  assert.deepEqual(evaluations.map(({ at }) => at), [2, 4])
  evaluations[1].end()
  await turns()
  assert.deepEqual(evaluations.map(({ at }) => at), [2, 4, 6])
  evaluations[2].end()
  const { stopped, last } = await end
  assert.deepEqual([stopped, last?.epoch, epochs.map(({ epoch }) => epoch)], [false, 3, [1, 2, 3]])
  assert.deepEqual(kept, [2, 4, 6].map((step) => ({ step, state: steppedBy(...gradients.slice(0, step)) })))
  assert.deepEqual(evaluations.map(({ parameters }) => parameters), [2, 4, 6].map((step) => steppedBy(...gradients.slice(0, step)).parameters))
  assert.deepEqual(events.flatMap((event) => (event.type === 'evaluating' ? [[event.epoch, event.beside]] : [])), [[1, true], [2, true], [3, false]], 'there is nothing beside the last one')
})

test('a checkpoint that is due in mid-epoch waits until the epoch before is tested, and so does the end of a run that is stopped', async () => {
  for (const due of [true, false]) {
    const { parts, model, epochs, reached } = training(four, 'stop')
    const { cluster, evaluations } = testingBeside(parts.cluster, model)
    let stop = false
    const end = train({ ...parts, cluster, keepIsDue: () => due, reached: ({ at }) => (stop ||= at.step === 3), stopRequested: () => stop }, beginning)
    let ended = false
    void end.then(() => (ended = true))
    await turns()
    assert.deepEqual([ended, stop, epochs.length, reached.length], [false, true, 0, 2])
    evaluations[0].end()
    const { stopped, progress, held } = await end
    assert.deepEqual([stopped, progress.at.step, held, epochs.length], [true, 3, undefined, 1])
    assert.deepEqual(reached.map(({ at }) => at.step), due ? [1, 2, 3] : [1, 2])
  }
})

test('an evaluation that is given up, with nothing trained beside it, leaves the run at the end of its epoch', async () => {
  const { parts, model, epochs } = training(four, 'stop')
  const givenUp: Cluster = { ...parts.cluster, evaluate: () => Promise.reject(new StoppedWhileWaiting('stopped')) }
  const { stopped, failure, progress, held } = await train({ ...parts, cluster: givenUp }, beginning)
  assert.deepEqual([stopped, failure, progress.at, epochs.length], [true, undefined, { epoch: 1, stepInEpoch: 2, step: 2 }, 0])
  assert.deepEqual(await held?.state, steppedBy(...four.slice(0, 2)))
  const resumed = training(four, 'stop', await held?.state)
  await train(resumed.parts, progress)
  assert.deepEqual(resumed.epochs.map(({ epoch }) => epoch), [1, 2])
  assert.deepEqual([resumed.model.state, model.state.parameters.length], [steppedBy(...four), layout.size])
})

test('where nobody is left to test an epoch, the run stands at its end, and begins with testing it when it goes on', async () => {
  const { parts, model, epochs } = training(four, 'stop')
  const { cluster, evaluations } = testingBeside(parts.cluster, model)
  const error = new InterruptedError('nobody is in')
  const failing: Cluster = { ...cluster, trainStep: (at, ...rest) => (at.step === 3 ? Promise.reject(error) : cluster.trainStep(at, ...rest)) }
  const end = train({ ...parts, cluster: failing, keepIsDue: () => false }, beginning)
  await turns()
  evaluations[0].fail(error)
  const { stopped, failure, progress, held } = await end
  assert.deepEqual([stopped, failure, progress.at, epochs.length], [true, error, { epoch: 1, stepInEpoch: 2, step: 2 }, 0])
  assert.deepEqual(await held?.state, steppedBy(...four.slice(0, 2)))

  const resumed = training(four, 'stop', await held?.state)
  const { last } = await train(resumed.parts, progress)
  assert.deepEqual([last?.epoch, resumed.epochs.map(({ epoch, images }) => [epoch, images])], [2, [[1, 4], [2, 4]]])
  assert.deepEqual(resumed.model.state, steppedBy(...four))
})

test('a run that stops early trains no epoch after the one that decides it, nor when it is resumed there', async () => {
  const { parts, epochs } = training(Array.from({ length: 8 }, () => gradientOf(1)), 'stop')
  const { progress, stopped } = await train({ ...parts, stopsAfter: (epoch) => epoch >= 2 }, beginning)
  assert.equal(stopped, false)
  assert.deepEqual(epochs.map(({ epoch }) => epoch), [1, 2])
  assert.deepEqual(progress.at, { epoch: 3, stepInEpoch: 0, step: 4 })
  const again = training(Array.from({ length: 8 }, () => gradientOf(1)), 'stop')
  assert.deepEqual((await train({ ...again.parts, stopsAfter: (epoch) => epoch >= 2 }, progress)).progress, progress)
  assert.deepEqual(again.epochs, [])
})

test('the best epoch is the first of the highest accuracy; a run stops once the epochs before the one that is trained have come to no better', () => {
  const accuracies = new Map([[1, 0.2], [2, 0.5], [3, 0.5], [4, 0.4]])
  assert.equal(bestEpoch(accuracies), 2)
  assert.equal(bestEpoch(new Map()), undefined)
  assert.deepEqual([1, 2, 3, 4, 5].map((epoch) => stopsAfter(epoch, accuracies, 2)), [false, false, false, false, true])
  assert.deepEqual([1, 2, 3, 4, 5].map((epoch) => stopsAfter(epoch, accuracies, 1)), [false, false, false, true, true])
  assert.equal(stopsAfter(50, accuracies, null), false)
})
