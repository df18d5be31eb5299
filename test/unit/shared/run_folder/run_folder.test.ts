import assert from 'node:assert/strict'
import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { test } from 'node:test'
import { RunError, UsageError, WriteError } from '../../../../shared/kit/errors.ts'
import { RunFolder } from '../../../../shared/run_folder/run_folder.ts'
import type { HistoryLine, Summary } from '../../../../shared/run_folder/schemas.ts'
import { limitFileSize, withoutFileLimits } from '../../../support/disk.ts'
import { temporaryFolder } from '../checkpoint/example.ts'

const clock = (): Date => new Date(2025, 0, 31, 9, 5, 7)

function historyLine(epoch: number): HistoryLine {
  return { epoch, step: epoch * 10, skippedSteps: 1, trainLoss: 2 / epoch, trainAccuracy: 0.5, testLoss: 2.1 / epoch, testAccuracy: 0.45, learningRate: 1e-4, images: 640, seconds: 8, imagesPerSecond: 80, workers: 2 }
}

const summary: Summary = {
  digest: 'ab'.repeat(32), epochs: 2, steps: 20, skippedSteps: 2, trainLoss: 1, testLoss: 1.05, testAccuracy: 0.45,
  perClass: { cane: { images: 10, correct: 4, accuracy: 0.4 }, gatto: { images: 10, correct: 5, accuracy: 0.5 } },
  images: 1280, imagesPerSecond: 80, seconds: 16, engine: 'native', device: 'cpu', precision: 'f32', lanes: 8, batch: 64, workers: 2,
  lanesComputed: 161, lanesCounted: 160, lanesRecomputed: 1, lanesTakenOver: 0, workersLost: 1, restarts: 0, fingerprints: ['f00d'],
}

test('a run without --out gets a dated folder, one of the same second a number', async (context) => {
  const root = join(await temporaryFolder(context), 'runs')
  const folders = [await RunFolder.create(undefined, clock, root), await RunFolder.create(undefined, clock, root)]
  assert.deepEqual(folders.map(({ path }) => basename(path)), ['2025-01-31-090507', '2025-01-31-090507-2'])
  assert.equal(dirname(folders[0].path), root)
})

test('the newest run is found by its name; folders without a run and other names do not count', async (context) => {
  const root = join(await temporaryFolder(context), 'runs')
  await assert.rejects(RunFolder.openNewest(clock, root), (error: unknown) => error instanceof UsageError && /no run to resume/.test(error.message))
  for (const name of ['2025-01-30-235959', '2025-01-31-090507', '2025-01-31-090507-9', '2025-01-31-090507-10', 'zebra']) {
    await mkdir(join(root, name), { recursive: true })
    await writeFile(join(root, name, 'config.json'), '{}')
  }
  await mkdir(join(root, '2025-02-01-000000'))
  assert.equal(basename((await RunFolder.openNewest(clock, root)).path), '2025-01-31-090507-10')
})

test('a folder that has a run is refused by naming the ways out; one with other files is taken', async (context) => {
  const out = join(await temporaryFolder(context), 'first')
  await mkdir(out)
  await writeFile(join(out, 'notes.txt'), 'mine')
  await assert.rejects(RunFolder.open(out, clock), (error: unknown) => error instanceof UsageError && /has no run/.test(error.message))
  const run = await RunFolder.create(out, clock)
  await run.writeConfig({ batch: 64 })
  await assert.rejects(RunFolder.create(out, clock), (error: unknown) => {
    assert.ok(error instanceof UsageError)
    assert.match(error.message, /already has a run: continue it with --resume latest, or give another --out/)
    return true
  })
  assert.deepEqual(await (await RunFolder.open(out, clock)).readConfig(), { batch: 64 })
  assert.deepEqual((await readdir(out)).sort(), ['config.json', 'notes.txt'])
})

test('an --out that is a file, or inside one, is refused', async (context) => {
  const folder = await temporaryFolder(context)
  await writeFile(join(folder, 'file'), '')
  await assert.rejects(RunFolder.create(join(folder, 'file'), clock), (error: unknown) => error instanceof UsageError && /is not a folder/.test(error.message))
  await assert.rejects(RunFolder.create(join(folder, 'file', 'run'), clock), RunError)
  await assert.rejects(RunFolder.create(undefined, clock, join(folder, 'file')), UsageError)
})

test('config, history, events and summary come back as written', async (context) => {
  const run = await RunFolder.create(join(await temporaryFolder(context), 'a'), clock)
  assert.deepEqual(await run.readHistory(), [])
  assert.deepEqual(await run.readEvents(), [])
  const config = { batch: 64, lr: 1e-4, classes: ['cane', 'gatto'], versions: { node: '20' } }
  await run.writeConfig(config)
  await run.writeSummary(summary)
  await run.appendHistory(historyLine(1))
  await run.appendHistory(historyLine(2))
  await run.appendEvent('workerLost', { worker: 'b', lanes: [3, 4] })
  await run.appendEvent('stopped')
  assert.deepEqual(await run.readConfig(), config)
  assert.deepEqual(await run.readSummary(), summary)
  assert.deepEqual(await run.readHistory(), [historyLine(1), historyLine(2)])
  const time = clock().toISOString()
  assert.deepEqual(await run.readEvents(), [{ time, event: 'workerLost', worker: 'b', lanes: [3, 4] }, { time, event: 'stopped' }])
  const lines = (await readFile(run.historyFile, 'utf8')).split('\n')
  assert.equal(lines.length, 3)
  assert.deepEqual(Object.keys(JSON.parse(lines[0]) as object), ['epoch', 'step', 'skippedSteps', 'trainLoss', 'trainAccuracy', 'testLoss', 'testAccuracy', 'learningRate', 'images', 'seconds', 'imagesPerSecond', 'workers'])
  assert.deepEqual((await readdir(run.path)).sort(), ['config.json', 'events.jsonl', 'history.jsonl', 'summary.json'])
})

test('losses of a diverged run are null on disk and NaN when read', async (context) => {
  const run = await RunFolder.create(join(await temporaryFolder(context), 'a'), clock)
  await run.appendHistory({ ...historyLine(1), trainLoss: NaN, testLoss: Infinity })
  assert.match(await readFile(run.historyFile, 'utf8'), /"trainLoss":null.*"testLoss":null/s)
  const [line] = await run.readHistory()
  assert.deepEqual([line.trainLoss, line.testLoss], [NaN, NaN])
  await run.writeSummary({ ...summary, trainLoss: NaN })
  assert.deepEqual((await run.readSummary()).trainLoss, NaN)
})

test('resuming drops later epochs; what a crash left half-written is put right, and said', async (context) => {
  const run = await RunFolder.create(join(await temporaryFolder(context), 'a'), clock)
  for (const epoch of [1, 2, 3]) await run.appendHistory(historyLine(epoch))
  await run.appendEvent('started')
  await appendFile(run.historyFile, '{"epoch":4,"st')
  await appendFile(run.eventsFile, '\0\0\0')
  await mkdir(run.plotsFolder)
  await writeFile(join(run.plotsFolder, '.loss.svg.77-1.tmp'), '<svg')
  await writeFile(join(run.path, 'mine.tmp'), 'a file of the user')
  assert.equal((await run.readHistory()).length, 3)
  assert.deepEqual(await run.repair(), [
    'removed the half-written file .loss.svg.77-1.tmp',
    'cut 14 bytes of a half-written last line off history.jsonl',
    'cut 3 bytes of a half-written last line off events.jsonl',
  ])
  assert.deepEqual(await run.repair(), [])
  assert.deepEqual((await readdir(run.path)).sort(), ['events.jsonl', 'history.jsonl', 'mine.tmp', 'plots'])
  await run.truncateHistory(3)
  await run.truncateHistory(2)
  await run.appendHistory(historyLine(3))
  await run.appendEvent('resumed')
  assert.deepEqual((await run.readHistory()).map(({ epoch }) => epoch), [1, 2, 3])
  assert.deepEqual((await run.readEvents()).map(({ event }) => event), ['started', 'resumed'])
  await run.truncateHistory(0)
  assert.equal(await readFile(run.historyFile, 'utf8'), '')
})

test('lines that the disk refuses wait in memory, in their order, and the file has no half line meanwhile', { skip: withoutFileLimits }, async (context) => {
  const run = await RunFolder.create(join(await temporaryFolder(context), 'a'), clock)
  await run.appendEvent('first')
  const before = await readFile(run.eventsFile, 'utf8')
  await limitFileSize(process.pid, before.length + 20)
  try {
    // There is room for the first 20 bytes of the line only.
    await assert.rejects(run.appendEvent('second'), (error: unknown) => error instanceof WriteError && /events\.jsonl cannot be written: EFBIG/.test(error.message))
    await assert.rejects(run.appendEvent('third'), WriteError)
    assert.equal(await readFile(run.eventsFile, 'utf8'), before)
    await assert.rejects(run.writeConfig({ batch: 64, why: 'x'.repeat(200) }), WriteError)
    await assert.rejects(run.flush(), WriteError)
  } finally {
    await limitFileSize(process.pid, undefined)
  }
  assert.deepEqual(await readdir(run.path), ['events.jsonl'])
  await run.appendEvent('fourth')
  assert.deepEqual((await run.readEvents()).map(({ event }) => event), ['first', 'second', 'third', 'fourth'])
  await run.flush()
})

test('bad values are refused before they are written, bad files named with the line when they are read', async (context) => {
  const run = await RunFolder.create(join(await temporaryFolder(context), 'a'), clock)
  assert.throws(() => run.appendHistory({ ...historyLine(1), testAccuracy: 1.5 }), (error: unknown) => error instanceof RunError && /history\.jsonl.*testAccuracy/.test(error.message))
  assert.throws(() => run.appendEvent(''), RunError)
  await assert.rejects(run.writeSummary({ ...summary, digest: 'short' }), /summary\.json.*digest/)
  assert.deepEqual(await readdir(run.path), [])

  await assert.rejects(run.readSummary(), /summary\.json does not exist/)
  await writeFile(run.summaryFile, '{"digest"')
  await assert.rejects(run.readSummary(), (error: unknown) => error instanceof RunError && /summary\.json is not JSON/.test(error.message))
  await writeFile(run.configFile, '[]')
  await assert.rejects(run.readConfig(), /config\.json is not as expected/)
  await writeFile(run.historyFile, `${JSON.stringify(historyLine(1))}\n{"epoch":0}\n`)
  await assert.rejects(run.readHistory(), /history\.jsonl, line 2, is not as expected: epoch/)
  await mkdir(run.eventsFile)
  await assert.rejects(run.appendEvent('x'), /events\.jsonl cannot be written/)
  await assert.rejects(run.readEvents(), /cannot be read/)
})
