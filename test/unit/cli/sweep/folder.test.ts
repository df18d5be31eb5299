import assert from 'node:assert/strict'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import { SweepFolder } from '../../../../cli/sweep/folder.ts'
import { article } from '../../../../shared/recipe/presets.ts'
import { RunFolder } from '../../../../shared/run_folder/run_folder.ts'
import { temporaryFolder } from '../../shared/checkpoint/example.ts'
import { historyOf, sweepOf } from './made_up.ts'

const NOW = new Date('2026-01-01T10:00:00Z')
const trial = { number: 2, settings: { lr: 0.1 }, recipe: { lr: 0.1, epochs: 6 }, epochs: 6 }

/** Makes the folder of trial 2's run with seed 0 as a coordinator leaves it. */
async function makeRun(t: TestContext, asked: { epochs: number; earlyStop?: number }, epochs: number, events: readonly string[]): Promise<SweepFolder> {
  const folder = await SweepFolder.open(path.join(await temporaryFolder(t), 'sweep'))
  const run = await RunFolder.create(folder.runFolder(trial, 0), () => NOW)
  await run.writeConfig({ recipe: { ...article, engine: 'wasm', ...asked }, classes: ['a', 'b'] })
  for (const line of historyOf(Array(epochs).fill(0.5))) await run.appendHistory(line)
  for (const event of events) await run.appendEvent(event)
  return folder
}

/** True if nothing of the run is left to be trained. */
async function isDone(folder: SweepFolder, epochs: number): Promise<boolean> {
  return (await folder.readRun(trial, 0, epochs)).isDone
}

test('a run is done when it has ended in order with so many epochs; the next rung goes on with it', async (t) => {
  const folder = await makeRun(t, { epochs: 2 }, 2, ['started', 'finished'])
  assert.equal(await isDone(folder, 2), true)
  assert.equal(await isDone(folder, 6), false)
  assert.equal((await folder.readRun(trial, 0, 6)).history.length, 2)
  assert.deepEqual(await folder.readRun(trial, 1, 2), { isDone: false, history: [] }, 'another seed has not begun')
})

test('a run that broke off, was stopped, or failed goes on', async (t) => {
  for (const last of ['stopped', 'failed', 'started']) assert.equal(await isDone(await makeRun(t, { epochs: 6 }, 6, ['started', 'finished', last]), 6), false, last)
  assert.equal(await isDone(await makeRun(t, { epochs: 6 }, 3, ['started', 'epoch']), 6), false)
})

test('a run that was stopped on the way to the next rung is done with the rungs before, and is not asked for fewer epochs again', async (t) => {
  const folder = await makeRun(t, { epochs: 6 }, 3, ['started', 'finished', 'started', 'stopped'])
  assert.deepEqual([await isDone(folder, 2), await isDone(folder, 3), await isDone(folder, 6)], [true, true, false])
  assert.equal(await isDone(await makeRun(t, { epochs: 3 }, 3, ['started', 'stopped']), 3), false, 'its end was not written yet')
})

test('a run that stopped early is done for all epochs that it was asked for, and no more', async (t) => {
  const folder = await makeRun(t, { epochs: 6, earlyStop: 2 }, 4, ['started', 'finished'])
  assert.equal(await isDone(folder, 6), true)
  assert.equal(await isDone(folder, 9), false)
})

test('a trial keeps the recipe that it began with; another one is refused, and named', async (t) => {
  const folder = await SweepFolder.open(path.join(await temporaryFolder(t), 'sweep'))
  await folder.keepRecipe(trial)
  await folder.keepRecipe(trial)
  await assert.rejects(folder.keepRecipe({ ...trial, recipe: { ...trial.recipe, lr: 0.2 } }), /trial 2 of \S+sweep began with another lr, 0\.1, than the sweep's file has now: give another --out/)
  await assert.rejects(folder.keepRecipe({ ...trial, recipe: { ...trial.recipe, batch: 8 } }), /began with another batch, that of the recipe article,/)
})

test('a folder tells how its sweep was; that of a run is none', async (t) => {
  const root = await temporaryFolder(t)
  const folder = await SweepFolder.open(path.join(root, 'sweep'))
  assert.equal(await folder.readState(), undefined)
  await folder.writeState(sweepOf())
  assert.deepEqual(await folder.readState(), sweepOf())
  const run = await RunFolder.create(path.join(root, 'run'), () => NOW)
  await run.writeConfig({})
  await assert.rejects(SweepFolder.open(run.path), /--out \S+run is the folder of a run: give another one for the sweep/)
})
