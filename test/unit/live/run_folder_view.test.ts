import assert from 'node:assert/strict'
import { appendFile, mkdir, open, rm, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import { RunError } from '../../../shared/kit/errors.ts'
import { difference } from '../../../live/difference.ts'
import { patched } from '../../../live/patch.ts'
import { RunFolderView } from '../../../live/run_folder_view.ts'
import { ShownFolders } from '../../../live/shown_folders.ts'
import { runViewSchema, type RunPatch, type RunView } from '../../../live/view.ts'
import { RunFolder } from '../../../shared/run_folder/run_folder.ts'
import type { HistoryLine, Summary } from '../../../shared/run_folder/schemas.ts'
import { temporaryFolder } from '../shared/checkpoint/example.ts'

const BEGIN = Date.parse('2026-01-01T00:00:00Z')
const config = {
  model: 'tiny', imageSize: 32, classes: ['cane', 'gatto'], trainImages: 9, testImages: 3, batch: 4, lanes: 2, epochs: 3, lr: 0.001, seed: 7, precision: 'f32', engine: 'wasm', versions: { herd: '0.1.0' },
}
const line = (epoch: number, trainLoss = 1 / epoch): HistoryLine => ({
  epoch, step: 3 * epoch, skippedSteps: 0, trainLoss, trainAccuracy: 0.5, testLoss: 2, testAccuracy: 0.25, learningRate: 0.001, images: 9, seconds: 1.5, imagesPerSecond: 6, workers: 2,
})
const summary: Summary = {
  digest: '0'.repeat(64), epochs: 3, steps: 9, skippedSteps: 0, trainLoss: 1, testLoss: 2, testAccuracy: 0.25, perClass: {}, images: 27, imagesPerSecond: 6, seconds: 4.5, engine: 'wasm', device: 'cpu', precision: 'f32',
  lanes: 2, batch: 4, workers: 2, lanesComputed: 18, lanesCounted: 18, lanesRecomputed: 0, lanesTakenOver: 0, workersLost: 0, restarts: 0, fingerprints: ['a'],
}
const evaluation = { epoch: 3, classes: ['cane', 'gatto'], confusion: [[1, 0], [1, 1]], predictions: [] }
const started = { runId: 'x', images: 9, testImages: 3, classes: ['cane', 'gatto'], parameters: 5 }
const stepEvent = (step: number): Record<string, unknown> => ({ epoch: 1, stepInEpoch: (step - 1) % 3, stepsPerEpoch: 3, step, samples: 4, seconds: 0.5, loss: 2, accuracy: 0.5, gradientNorm: 3, computedBy: ['a', 'b'] })

const readRunView = (folder: RunFolder, now: Date): Promise<RunView> => new RunFolderView(folder).read(now)

interface Made {
  folder: RunFolder
  note(event: string, fields?: Record<string, unknown>): Promise<void>
}

/** Makes a run's folder, on a clock that advances by a second for each event. */
async function make(t: TestContext): Promise<Made> {
  let seconds = 0
  const folder = await RunFolder.create(path.join(await temporaryFolder(t), 'first'), () => new Date(BEGIN + 1000 * seconds++))
  return { folder, note: (event, fields) => folder.appendEvent(event, fields) }
}

test('a run that has finished, whole', async (t) => {
  const { folder, note } = await make(t)
  await folder.writeConfig(config)
  await note('started', started)
  await note('workerJoined', { worker: 'a', workers: 1, engine: 'wasm', device: 'cpu', fingerprint: 'a' })
  for (let epoch = 1; epoch <= 3; epoch++) {
    await folder.appendHistory(line(epoch))
    await note('epoch', { ...line(epoch), epochs: 3 })
  }
  await note('comet', { tail: true })
  await folder.writeEvaluation(evaluation)
  await folder.writeSummary(summary)
  await note('finished', { digest: summary.digest, epochs: 3, seconds: 4.5 })
  const view = await readRunView(folder, new Date())
  runViewSchema.parse(view)
  assert.deepEqual(view, {
    facts: {
      name: 'first', folder: folder.path, recipe: { model: 'tiny', imageSize: 32, batch: 4, lanes: 2, epochs: 3, seed: 7, precision: 'f32', engine: 'wasm', lr: 0.001 },
      parameters: 3442, classes: ['cane', 'gatto'], trainImages: 9, testImages: 3,
      stepsPerEpoch: 3,
    },
    state: 'finished',
    startedAt: '2026-01-01T00:00:00.000Z',
    progress: { epoch: 3, stepInEpoch: 3, step: 9, imagesPerSecond: null, epochSecondsLeft: null, runSecondsLeft: null, testing: null },
    history: [line(1), line(2), line(3)],
    steps: [], members: [], strips: [], evaluation,
    events: [
      { time: '2026-01-01T00:00:00.000Z', kind: 'started', level: 'info', text: 'Training on 9 images of 2 classes, testing on 3; 5 parameters.' },
      { time: '2026-01-01T00:00:01.000Z', kind: 'workerJoined', level: 'info', text: 'Worker a joined (wasm, cpu); 1 in.' },
      { time: '2026-01-01T00:00:05.000Z', kind: 'comet', level: 'info', text: 'comet' },
      { time: '2026-01-01T00:00:06.000Z', kind: 'finished', level: 'info', text: 'The run has finished: 3 epochs, 5 s of training.' },
    ],
    summary,
  } satisfies RunView)
})

test('how a run stands follows from its last process', async (t) => {
  const { folder, note } = await make(t)
  await folder.writeConfig(config)
  const stateAfter = async (event: string, fields: Record<string, unknown> = {}): Promise<string> => {
    await note(event, fields)
    return (await readRunView(folder, new Date())).state
  }
  assert.equal(await stateAfter('started', started), 'training')
  assert.equal(await stateAfter('waiting'), 'waiting')
  assert.equal(await stateAfter('goingOn', { workers: 1, waitedSeconds: 1 }), 'training')
  assert.equal((await readRunView(folder, new Date(Date.now() + 16 * 60_000))).state, 'interrupted', 'nobody has written for long')
  assert.equal(await stateAfter('stopped', { signal: 'SIGINT' }), 'stopped')
  assert.equal(await stateAfter('started', started), 'training')
  assert.equal(await stateAfter('failed', { reason: 'the disk is full.' }), 'failed')
  await folder.writeSummary(summary)
  assert.equal(await stateAfter('started', started), 'training')
  assert.equal((await readRunView(folder, new Date())).summary, null, 'that of an earlier end is not of this one')
  assert.equal(await stateAfter('finished', { digest: '', epochs: 3, seconds: 1 }), 'finished')
  await folder.appendHistory({ ...line(1), seconds: 3600 })
  await stateAfter('started', started)
  assert.equal((await readRunView(folder, new Date(Date.now() + 100 * 60_000))).state, 'training', 'its epochs take an hour')
})

test('how far a run is follows from checkpoints and epochs, and from steps where they are noted', async (t) => {
  const { folder, note } = await make(t)
  await folder.writeConfig(config)
  const at = async (): Promise<number[]> => {
    const { epoch, stepInEpoch, step } = (await readRunView(folder, new Date())).progress
    return [epoch, stepInEpoch, step]
  }
  assert.deepEqual(await at(), [1, 0, 0])
  await note('started', started)
  await note('checkpoint', { file: 'x', epoch: 1, stepInEpoch: 2, step: 2 })
  assert.deepEqual(await at(), [1, 2, 2])
  await folder.appendHistory(line(1))
  assert.deepEqual(await at(), [2, 0, 3])
  await note('step', { ...stepEvent(4), epoch: 2 })
  assert.deepEqual(await at(), [2, 1, 4])
  await folder.appendHistory(line(2))
  await folder.appendHistory(line(3))
  assert.deepEqual(await at(), [3, 3, 9])
})

test('steps that were noted make a curve and strips; those that a resumed run did again stand there once', async (t) => {
  const { folder, note } = await make(t)
  for (const step of [1, 2, 3, 4]) await note('step', stepEvent(step))
  await note('resumed', { file: 'x', epoch: 1, step: 2, restarts: 1 })
  // This event is of the form that an earlier version recorded.
  await note('step', { epoch: 1, stepInEpoch: 2, stepsPerEpoch: 3, step: 3, samples: 4, seconds: 0.5, loss: 2, accuracy: 0.5 })
  const { steps, strips } = await readRunView(folder, new Date())
  assert.deepEqual(steps.map(({ step, imagesPerSecond, gradientNorm }) => [step, imagesPerSecond, gradientNorm]), [[1, 8, 3], [2, 8, 3], [3, 8, null]])
  assert.deepEqual(strips.at(-1), { step: 4, computedBy: ['a', 'b'] })
})

test('what is missing, or of another version, is left out', async (t) => {
  const { folder } = await make(t)
  await mkdir(folder.checkpoints.path)
  const empty = await readRunView(folder, new Date())
  runViewSchema.parse(empty)
  assert.deepEqual([empty.facts.recipe, empty.facts.classes, empty.facts.parameters, empty.history, empty.events, empty.evaluation, empty.summary], [{}, [], 0, [], [], null, null])
  await writeFile(folder.configFile, JSON.stringify({ model: 'of tomorrow', epochs: 'many', classes: ['a', 'b'] }))
  await writeFile(folder.evaluationFile, '{"epoch": 1}')
  await writeFile(folder.summaryFile, '{"digest": 5}')
  await writeFile(folder.historyFile, `${JSON.stringify({ ...line(1, NaN), skippedSteps: undefined })}\n{"epoch": 2, "st`)
  const odd = await readRunView(folder, new Date())
  runViewSchema.parse(odd)
  assert.deepEqual([odd.facts.recipe, odd.facts.classes, odd.facts.parameters, odd.evaluation, odd.summary], [{ model: 'of tomorrow' }, ['a', 'b'], 0, null, null])
  assert.deepEqual(odd.history, [line(1, NaN)], 'a line that is being written is not there yet')
  await appendFile(folder.historyFile, 'ep": 6}\n')
  await assert.rejects(readRunView(folder, new Date()), (error: unknown) => error instanceof RunError && /history\.jsonl, line 2, is not as expected: trainLoss/.test(error.message))
})

test('a finished run of a version that noted no events', async (t) => {
  const { folder } = await make(t)
  await folder.writeConfig(config)
  await folder.writeSummary(summary)
  const old = new Date('2025-06-01T00:00:00Z')
  for (const file of [folder.configFile, folder.path]) await utimes(file, old, old)
  const { state, startedAt } = await readRunView(folder, new Date())
  assert.deepEqual([state, startedAt], ['finished', old.toISOString()])
})

test('the difference of two views makes the one of the other', async (t) => {
  const { folder, note } = await make(t)
  await folder.writeConfig(config)
  const views = [await readRunView(folder, new Date())]
  const change = async (act: () => void | Promise<void>): Promise<RunPatch | undefined> => {
    await act()
    views.push(await readRunView(folder, new Date()))
    const [older, newer] = views.slice(-2)
    const patch = difference(older, newer)
    assert.deepEqual(patched(older, patch ?? {}), newer)
    return patch
  }
  assert.deepEqual(Object.keys((await change(() => note('started', started))) ?? {}), ['startedAt', 'newEvents'])
  assert.equal(await change(() => undefined), undefined)
  assert.deepEqual(Object.keys((await change(() => folder.appendHistory(line(1, NaN)))) ?? {}), ['progress', 'newHistory'])
  assert.equal(await change(() => undefined), undefined, 'NaN is like NaN')
  await change(async () => {
    for (const epoch of [2, 3]) await folder.appendHistory(line(epoch))
  })
  const again = await change(async () => {
    await folder.truncateHistory(1)
    await folder.appendHistory({ ...line(2), seconds: 3 })
  })
  assert.deepEqual(again?.history?.map(({ seconds }) => seconds), [1.5, 3], 'epochs that are trained again take the place of the earlier ones')
  assert.deepEqual(Object.keys((await change(() => folder.writeEvaluation(evaluation))) ?? {}), ['evaluation'])
})

test('a run that goes on in another process is followed to its end, and a damaged file does not end that', async (t) => {
  const { folder, note } = await make(t)
  await folder.writeConfig(config)
  await note('started', started)
  const shown = await ShownFolders.open([folder], () => new Date(), 20)
  t.after(() => shown.close())
  let [view] = shown.runs()
  let wake = (): void => undefined
  const unsubscribe = shown.subscribe((run, patch) => {
    assert.equal(run, 0)
    view = patched(view, patch)
    assert.deepEqual(view, shown.runs()[0])
    wake()
  })
  const until = async (reached: () => boolean): Promise<void> => {
    while (!reached()) await new Promise<void>((resolve) => (wake = resolve))
  }
  await folder.appendHistory(line(1))
  await until(() => view.history.length === 1)
  await appendFile(folder.eventsFile, 'no JSON\n')
  await folder.appendHistory(line(2))
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.equal(view.history.length, 1, 'nothing can be read just now')
  await rm(folder.eventsFile)
  await note('started', started)
  await folder.writeSummary(summary)
  await note('finished', { digest: '', epochs: 3, seconds: 1 })
  await until(() => view.state === 'finished')
  assert.deepEqual([view.summary?.epochs, view.report, await shown.report(0)], [3, undefined, undefined])
  await folder.writeReport('<!doctype html>')
  await until(() => view.report === true)
  assert.equal(await shown.report(0), '<!doctype html>')
  unsubscribe()
})

test('a reader that follows a run reads each event once, and finds what one that begins anew finds', async (t) => {
  const { folder, note } = await make(t)
  await folder.writeConfig(config)
  const reader = new RunFolderView(folder)
  const now = new Date()
  const agrees = async (): Promise<RunView> => {
    const view = await reader.read(now)
    assert.deepEqual(view, await readRunView(folder, now))
    return view
  }
  await note('started', started)
  for (let step = 1; step <= 5000; step++) await note('step', stepEvent(step))
  assert.equal((await agrees()).steps.length, 4000, 'older points stand for more steps')
  await note('resumed', { file: 'x', epoch: 1, step: 4990, restarts: 1 })
  await note('step', stepEvent(4991))
  assert.equal((await agrees()).steps.at(-1)?.step, 4991)
  // A file whose beginning nobody reads again may be damaged there.
  const handle = await open(folder.eventsFile, 'r+')
  await handle.write('#', 0)
  await handle.close()
  await note('stopped', { signal: 'SIGTERM' })
  const { state, events } = await reader.read(now)
  assert.deepEqual([state, events.length, events.at(0)?.kind], ['stopped', 3, 'started'])
  await assert.rejects(readRunView(folder, now), /events\.jsonl, line 1, is not JSON/)
  // Another run in the place of the first one: whatever the sizes, it is noticed.
  await rm(folder.eventsFile)
  await appendFile(folder.eventsFile, `${JSON.stringify({ time: now.toISOString(), event: 'started', filler: 'x'.repeat(3e6) })}\n`)
  const { steps, events: words } = await agrees()
  assert.deepEqual([steps.length, words.length], [0, 1])
})

test('there is nothing to predict with before the first checkpoint', async (t) => {
  const { folder } = await make(t)
  await folder.writeConfig(config)
  const shown = await ShownFolders.open([folder], () => new Date())
  t.after(() => shown.close())
  await assert.rejects(shown.predict(0, Buffer.from('x')), (error: unknown) => error instanceof RunError && /latest\.ckpt does not exist/.test(error.message))
})
