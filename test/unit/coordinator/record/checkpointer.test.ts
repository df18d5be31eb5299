import assert from 'node:assert/strict'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Checkpointer } from '../../../../coordinator/record/checkpointer.ts'
import { checkpointFacts, progressOf } from '../../../../coordinator/record/checkpoint_position.ts'
import type { RunEvent } from '../../../../coordinator/contract/events.ts'
import { beginning, type Progress } from '../../../../coordinator/contract/progress.ts'
import { loadCheckpoint } from '../../../../shared/checkpoint/checkpoint.ts'
import { RunError } from '../../../../shared/kit/errors.ts'
import { CheckpointFolder } from '../../../../shared/run_folder/checkpoint_folder.ts'
import { exampleCheckpoint, temporaryFolder } from '../../shared/checkpoint/example.ts'
import { copyOfState } from '../../../../shared/optim/optimizer.ts'

function after(step: number): Progress {
  return { ...beginning, at: { epoch: 1, stepInEpoch: step, step } }
}

/** A checkpointer on a real folder, a clock that the test moves, and a model whose first parameter is the step. */
async function setUp(context: TestContext, everySeconds: number) {
  const folder = new CheckpointFolder(join(await temporaryFolder(context), 'checkpoints'))
  const clock = { seconds: 0 }
  const events: RunEvent[] = []
  const state = exampleCheckpoint()
  const checkpointer = new Checkpointer({
    folder, everySeconds, now: () => clock.seconds, observe: (event) => events.push(event),
    factsOf: ({ at }) => {
      state.parameters[0] = at.step
      return { ...state, position: { ...state.position, ...at } }
    },
    weights: { snapshot: () => Promise.resolve(copyOfState(state)) },
  })
  const saved = (): number[] => events.flatMap((event) => (event.type === 'checkpoint' ? [event.step] : []))
  const pauses = (): number[] => events.flatMap((event) => (event.type === 'checkpointFailed' ? [event.retrySeconds] : []))
  return { folder, clock, state, checkpointer, saved, pauses }
}

test('a save begins when it is time, one at a time, of the state as it was between the steps', async (context) => {
  const { folder, clock, state, checkpointer, saved } = await setUp(context, 60)
  clock.seconds = 59
  checkpointer.offer(after(1))
  await checkpointer.idle()
  assert.deepEqual(saved(), [])
  clock.seconds = 60
  checkpointer.offer(after(2))
  // Training goes on at once: the model changes, and the next step is offered.
  state.parameters.fill(-1)
  clock.seconds = 1000
  checkpointer.offer(after(3))
  await checkpointer.idle()
  assert.deepEqual(saved(), [2])
  const { parameters } = await loadCheckpoint(folder.latest)
  assert.deepEqual([...parameters.subarray(0, 2)], [2, exampleCheckpoint().parameters[1]])
  clock.seconds = 1059
  checkpointer.offer(after(4))
  clock.seconds = 1060
  checkpointer.offer(after(5))
  await checkpointer.save(after(6), { keep: true })
  assert.deepEqual(saved(), [2, 5, 6], 'a save that is asked for waits for the one in progress')
})

test('with 0, nothing is saved in mid-epoch', async (context) => {
  const { clock, checkpointer, saved } = await setUp(context, 0)
  clock.seconds = 1e9
  checkpointer.offer(after(1))
  await checkpointer.saveLast(after(2), { keep: false })
  assert.deepEqual(saved(), [2])
  await checkpointer.saveLast(after(2), { keep: false })
  assert.deepEqual(saved(), [2], 'a state that is on disk is not saved again')
})

test('a failed save is tried again after growing pauses, also where none is due; the last one must succeed', async (context) => {
  const { folder, clock, checkpointer, saved, pauses } = await setUp(context, 0)
  await writeFile(folder.path, 'in the way')
  await checkpointer.save(after(1), { keep: false })
  for (let step = 2; step < 300; step++) {
    clock.seconds += 0.5
    checkpointer.offer(after(step))
    await checkpointer.idle()
  }
  assert.deepEqual(pauses(), [1, 2, 4, 8, 16, 32, 64, 128])
  await assert.rejects(checkpointer.saveLast(after(300), { keep: true }), (error: unknown) => {
    assert.ok(error instanceof RunError)
    assert.match(error.message, /^the run's last state, of step 300, could not be saved: .*EEXIST.*\nThere is no earlier checkpoint of this process: make room/)
    return true
  })
  assert.deepEqual(saved(), [])
  await rm(folder.path)
  await mkdir(folder.path)
  await checkpointer.saveLast(after(300), { keep: true })
  assert.deepEqual((await readdir(folder.path)).sort(), ['epoch-0001.ckpt', 'latest.ckpt', 'step-00000300.ckpt'])
})

test('where a run stands comes back: in an epoch, at its end before the evaluation, and after it', () => {
  const { network, classes, optimizer, parameters, moments } = exampleCheckpoint()
  const parts = { network, classes, config: {}, optimizer, datasetDigest: '', stepsPerEpoch: 10 }
  const sums = { lossSum: 21.125, correct: 7, images: 80, skippedSteps: 1, seconds: 2.5 }
  const empty = beginning.sums
  for (const progress of [
    beginning,
    { at: { epoch: 3, stepInEpoch: 4, step: 24 }, sums, images: 240, skippedSteps: 2, seconds: 9 },
    { at: { epoch: 3, stepInEpoch: 10, step: 30 }, sums, images: 300, skippedSteps: 2, seconds: 9 },
    { at: { epoch: 3, stepInEpoch: 10, step: 30 }, sums: { ...empty, skippedSteps: 10 }, images: 200, skippedSteps: 10, seconds: 9 },
    { at: { epoch: 4, stepInEpoch: 0, step: 30 }, sums: empty, images: 300, skippedSteps: 2, seconds: 9 },
  ]) {
    assert.deepEqual(progressOf({ ...checkpointFacts(parts, progress), parameters, moments }, 10), progress)
  }
})
