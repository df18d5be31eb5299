import assert from 'node:assert/strict'
import { appendFile, cp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { loadCheckpoint } from '../../shared/checkpoint/checkpoint.ts'
import { limitFileSize, mountSmallDisk, withoutFileLimits } from '../support/disk.ts'
import { metricOf } from '../support/metrics.ts'
import { addressOf, Program } from '../support/processes.ts'
import { eventOf, linesOf, type Line } from '../support/run_events.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

/** Tests of a coordinator that dies, and of disks that fail: they change nothing but the time of the run. */
let workspace: Workspace
let data: string
let whole: string
let undisturbed: string
const STEPS_PER_EPOCH = 10
const training = ['--model', 'tiny', '--image-size', '32', '--batch', '8', '--lanes', '4', '--epochs', '3', '--test-fraction', '0.5', '--engine', 'wasm', '--seed', '3']

function coordinator(out: string, ...options: string[]): Program {
  return new Program('coordinator', ['--data', data, '--out', out, '--listen', '127.0.0.1:0', ...training, ...options], workspace.environment)
}

function worker(address: string): Program {
  return new Program('worker', ['--coordinator', address, '--data', data], workspace.environment)
}

/** The history of a run without measured times and numbers of workers. */
async function resultsOf(out: string): Promise<Line[]> {
  return (await linesOf(out, 'history.jsonl')).map((line) => ({ ...line, seconds: 0, imagesPerSecond: 0, workers: 0 }))
}

async function endsAsUndisturbed(out: string): Promise<void> {
  const summary = await summaryOf(out)
  assert.equal(summary.digest, undisturbed)
  assert.equal(summary.images, (await summaryOf(whole)).images)
  assert.deepEqual(await resultsOf(out), await resultsOf(whole))
}

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 12)
  whole = workspace.path('whole')
  const ended = await coordinator(whole, '--single-node', '--checkpoint-minutes', '0').ended
  assert.equal(ended.code, 0, ended.stderr)
  undisturbed = (await summaryOf(whole)).digest
  const saved = (await linesOf(whole, 'events.jsonl')).filter(({ event }) => event === 'checkpoint').map(({ step }) => step)
  assert.deepEqual(saved, [0, STEPS_PER_EPOCH, 2 * STEPS_PER_EPOCH, 3 * STEPS_PER_EPOCH], 'without --checkpoint-minutes: at the beginning and after each epoch')
})
after(() => workspace.remove())

test('a coordinator killed in mid-epoch goes on from the step of its last checkpoint, its workers, with data and without, join again, and result and history are the same', async () => {
  const out = workspace.path('killed')
  const first = coordinator(out, '--workers', '2', '--checkpoint-minutes', '0.001')
  const address = await addressOf(first)
  const workers = [worker(address), new Program('worker', ['--coordinator', address, '--cache', workspace.path('images')], workspace.environment)]
  await eventOf(out, first, (line) => line['event'] === 'checkpoint' && line['epoch'] === 2 && Number(line['stepInEpoch']) < STEPS_PER_EPOCH)
  await first.stop('SIGKILL')
  // These are leftovers of a crash at a worse moment.
  await appendFile(path.join(out, 'events.jsonl'), '{"time":"2025-01-31T09')
  await appendFile(path.join(out, 'history.jsonl'), '{"epoch":2,"trainLo')
  await writeFile(path.join(out, 'checkpoints', '.latest.ckpt.4242-1.tmp'), 'half a checkpoint')
  await writeFile(path.join(out, '.summary.json.17-1.tmp'), '{"half')

  const second = coordinator(out, '--workers', '2', '--resume', 'latest', '--listen', address)
  const ended = await second.ended
  assert.equal(ended.code, 0, ended.stderr)
  for (const each of workers) assert.equal((await each.ended).code, 0, each.stderr)
  assert.match(ended.stderr, /after the crash of an earlier process: cut 19 bytes of a half-written last line off history\.jsonl/)
  const [, epoch, step] = /Going on from .*: epoch (\d+), step (\d+)\./.exec(ended.stdout) ?? []
  assert.equal(epoch, '2')
  assert.notEqual(Number(step) % STEPS_PER_EPOCH, 0, `step ${step} is in mid-epoch`)
  await endsAsUndisturbed(out)
  assert.equal((await summaryOf(out)).restarts, 1)
  const repaired = (await linesOf(out, 'events.jsonl')).filter((line) => line['event'] === 'repaired').map((line) => line['what'])
  assert.deepEqual(repaired.sort(), [
    'cut 19 bytes of a half-written last line off history.jsonl', 'cut 22 bytes of a half-written last line off events.jsonl',
    'removed the half-written file .latest.ckpt.4242-1.tmp', 'removed the half-written file .summary.json.17-1.tmp',
  ])
  const files = [...(await readdir(out)), ...(await readdir(path.join(out, 'checkpoints')))]
  assert.deepEqual(files.filter((name) => /tmp$/.test(name)), [])
})

test('damaged checkpoints are passed over with a word, back to the newest sound one; without any, the run says so', async () => {
  const out = workspace.path('damaged')
  await cp(whole, out, { recursive: true })
  const checkpoints = path.join(out, 'checkpoints')
  // The best one, whichever it is, would be a sound one too.
  await rm(path.join(checkpoints, 'best.ckpt'))
  const [sound, ...damaged] = [1, 2, 3].map((epoch) => `step-${String(epoch * STEPS_PER_EPOCH).padStart(8, '0')}.ckpt`)
  for (const name of ['latest.ckpt', 'epoch-0003.ckpt', damaged[1]]) await truncate(path.join(checkpoints, name), 1000)
  const altered = await readFile(path.join(checkpoints, damaged[0]))
  altered[altered.length - 50] ^= 4
  await writeFile(path.join(checkpoints, damaged[0]), altered)

  const resumed = coordinator(out, '--single-node', '--resume', 'latest')
  const ended = await resumed.ended
  assert.equal(ended.code, 0, ended.stderr)
  assert.ok(ended.stdout.includes(`Going on from ${path.join(checkpoints, sound)}: epoch 2, step ${STEPS_PER_EPOCH}.`), ended.stdout)
  for (const name of ['latest.ckpt', ...damaged]) assert.ok(ended.stderr.includes(`passed over: ${path.join(checkpoints, name)} is `), `${name}: ${ended.stderr}`)
  const events = (await linesOf(out, 'events.jsonl')).filter((line) => line['event'] === 'checkpointDamaged')
  assert.deepEqual(events.map(({ file }) => path.basename(String(file))).sort(), ['epoch-0003.ckpt', 'latest.ckpt', ...damaged])
  await endsAsUndisturbed(out)
  assert.equal((await loadCheckpoint(path.join(checkpoints, 'latest.ckpt'))).position.step, 3 * STEPS_PER_EPOCH)

  for (const name of await readdir(checkpoints)) await truncate(path.join(checkpoints, name), 100)
  const hopeless = await coordinator(out, '--single-node', '--resume', 'latest').ended
  assert.equal(hopeless.code, 1)
  assert.match(hopeless.stderr, /^error: none of the \d+ checkpoints in .* can be used\. .* is (damaged|truncated)/m)
  assert.ok(hopeless.stderr.trim().split('\n').length <= 2, hopeless.stderr)
})

test('files that cannot be written, whichever they are, are reported and written later: training goes on to the same result', { skip: withoutFileLimits }, async () => {
  const out = workspace.path('limited')
  const main = coordinator(out, '--workers', '1', '--checkpoint-minutes', '0.001', '--metrics-port', '0', '--pictures', 'on')
  const address = await addressOf(main)
  const [, metrics] = await main.said(/metrics at (\S+)/)
  await eventOf(out, main, (line) => line['event'] === 'checkpoint')
  await limitFileSize(main.child.pid ?? 0, 1)
  const helper = worker(address)
  await main.said(/epoch 1\/3/)
  await main.said(/step \d+ cannot be saved: .*(?:step-\d+\.ckpt|digests\.jsonl) cannot be written: EFBIG: .* Training goes on; the next try is in 2 s\./)
  for (const file of ['events.jsonl', 'history.jsonl', 'plots']) assert.equal(main.stderr.split('\n').filter((line) => line.includes('this is said once') && line.includes(file)).length, 1, `${file}\n${main.stderr}`)
  assert.ok(((await metricOf(metrics, 'herd_checkpoint_failures_total')) ?? 0) >= 2, 'the metrics count what failed')
  await limitFileSize(main.child.pid ?? 0, undefined)

  const ended = await main.ended
  assert.equal(ended.code, 0, ended.stderr)
  assert.equal((await helper.ended).code, 0)
  await endsAsUndisturbed(out)
  const events = await linesOf(out, 'events.jsonl')
  assert.deepEqual(events.filter((line) => line['event'] === 'writeFailed').map(({ file }) => path.basename(String(file)).replace(/(?<=tfevents)\..*/, '')).sort(), ['digests.jsonl', 'evaluation.json', 'events.jsonl', 'events.out.tfevents', 'history.jsonl', 'plots'])
  assert.ok(events.some((line) => line['event'] === 'checkpointFailed'))
  assert.ok((await readdir(path.join(out, 'plots'))).includes('loss.png'))
})

test('when the last state cannot be saved either, the run ends with exit code 1 and says so', { skip: withoutFileLimits }, async () => {
  const out = workspace.path('never-saved')
  const main = coordinator(out, '--single-node')
  await main.said(/epoch 1\/3/)
  await limitFileSize(main.child.pid ?? 0, 1)
  const ended = await main.ended
  assert.equal(ended.code, 1)
  assert.match(ended.stderr, /^error: the run's last state, of step 30, could not be saved: .*EFBIG.*\nThe newest checkpoint is that of step \d+: make room, then go on from there with --resume latest\.$/m)
  assert.equal((await loadCheckpoint(path.join(out, 'checkpoints', 'latest.ckpt'))).position.step % STEPS_PER_EPOCH, 0)
})

test('a disk that is full, then read-only, then sound again', async (context) => {
  const disk = await mountSmallDisk(workspace.path('disk'), 3000)
  if (typeof disk === 'string') return context.skip(disk)
  context.after(() => disk.unmount())
  const out = path.join(disk.folder, 'run')
  const main = coordinator(out, '--workers', '1', '--checkpoint-minutes', '0.001')
  const address = await addressOf(main)
  await eventOf(out, main, (line) => line['event'] === 'checkpoint')
  const empty = await disk.fill()
  const helper = worker(address)
  await main.said(/step \d+ cannot be saved: .*: ENOSPC: no space left on device, write\. Training goes on/)
  assert.deepEqual((await readdir(path.join(out, 'checkpoints'))).filter((name) => name.endsWith('.tmp')), [], 'nothing half-written stays')
  await empty()
  await disk.setReadOnly(true)
  await main.said(/step \d+ cannot be saved: .*: EROFS: read-only file system/)
  await disk.setReadOnly(false)
  const ended = await main.ended
  assert.equal(ended.code, 0, ended.stderr)
  assert.equal((await helper.ended).code, 0)
  await endsAsUndisturbed(out)
})

test('a folder of checkpoints that vanishes is made again; a file in its place is reported until it is gone', async () => {
  const out = workspace.path('vanished')
  const checkpoints = path.join(out, 'checkpoints')
  const main = coordinator(out, '--workers', '1', '--checkpoint-minutes', '0.001')
  const address = await addressOf(main)
  await eventOf(out, main, (line) => line['event'] === 'checkpoint')
  await rename(checkpoints, workspace.path('moved-away'))
  await writeFile(checkpoints, 'in the way')
  const helper = worker(address)
  await main.said(/step \d+ cannot be saved: .*checkpoints cannot be made: EEXIST/)
  await rm(checkpoints)
  const ended = await main.ended
  assert.equal(ended.code, 0, ended.stderr)
  assert.equal((await helper.ended).code, 0)
  await endsAsUndisturbed(out)
  assert.equal((await loadCheckpoint(path.join(checkpoints, 'latest.ckpt'))).position.step, 3 * STEPS_PER_EPOCH)
})
