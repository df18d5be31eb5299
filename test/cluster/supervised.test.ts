import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { FileCache } from '../../shared/data/caches/file_cache.ts'
import { Known } from '../../shared/data/caches/file_facts.ts'
import { scanFolder } from '../../shared/data/sources/scan.ts'
import { addressOf, Program, run, type Ended } from '../support/processes.ts'
import { eventOf, linesOf } from '../support/run_events.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

/** Tests of a run under a supervisor, which starts the same command again and again, on this machine or on another one. */
let workspace: Workspace
let data: string
let undisturbed: string

/** The command that the supervisor repeats. */
function command(out: string, ...options: string[]): string[] {
  return ['--data', data, '--out', workspace.path(out), '--resume', 'auto', '--single-node', '--model', 'tiny', '--image-size', '32', '--batch', '8', '--lanes', '4', '--epochs', '4', '--test-fraction', '0.5', '--engine', 'wasm', '--seed', '3', '--checkpoint-minutes', '0.001', ...options]
}

function start(out: string, ...options: string[]): Program {
  return new Program('coordinator', command(out, ...options), workspace.environment)
}

async function endsAsUndisturbed(out: string, { code, stderr }: Ended): Promise<void> {
  assert.equal(code, 0, stderr)
  assert.equal((await summaryOf(workspace.path(out))).digest, undisturbed)
  assert.ok(!(await readdir(workspace.path(out))).includes('run.lock'), 'the lock is gone with the process')
}

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 12)
  const { code, stderr } = await start('undisturbed').ended
  assert.equal(code, 0, stderr)
  undisturbed = (await summaryOf(workspace.path('undisturbed'))).digest
})
after(() => workspace.remove())

test('one command begins a run, goes on with it after a signal and after a kill, and is done when the run is', async () => {
  const out = 'repeated'
  const first = start(out)
  await first.said(/epoch 1\/4/)
  assert.equal((await first.stop('SIGTERM')).code, 143)
  const second = start(out)
  await eventOf(workspace.path(out), second, ({ event, restarts }) => event === 'resumed' && restarts === 1)
  await second.stop('SIGKILL')
  assert.ok((await readdir(workspace.path(out))).includes('run.lock'), 'a process that is killed leaves its lock')
  await endsAsUndisturbed(out, await start(out).ended)
  const events = await linesOf(workspace.path(out), 'events.jsonl')
  assert.equal(events.filter(({ event }) => event === 'resumed').length, 2)
  await endsAsUndisturbed(out, await start(out).ended)
})

test('a run that died before its first checkpoint begins anew in its folder', async () => {
  const out = 'died-early'
  await cp(workspace.path('undisturbed', 'config.json'), workspace.path(out, 'config.json'), { recursive: true })
  await writeFile(workspace.path(out, 'run.lock'), `999999999 ${os.hostname()} gone`)
  await endsAsUndisturbed(out, await start(out).ended)
})

test('of two processes that are started for one run, the second is told of the first, which goes on', async () => {
  const out = 'two'
  const first = start(out)
  await first.said(/Training on/)
  // The first stands still for as long as the second takes to start.
  first.child.kill('SIGSTOP')
  const second = await start(out).ended
  first.child.kill('SIGCONT')
  assert.equal(second.code, 1)
  assert.match(second.stderr, new RegExp(`^error: \\S+two is the folder of a run that goes on: process ${first.child.pid} on ${os.hostname()} writes into it\\. Stop that one first, or give another --out\\.$`, 'm'))
  await endsAsUndisturbed(out, await first.ended)
})

test('a process whose folder was taken over saves nothing more, and ends', async () => {
  const out = 'taken-over'
  const first = start(out, '--epochs', '2000')
  await first.said(/epoch +1\/2000/)
  const lock = `1 another-machine ${'0'.repeat(8)}`
  await writeFile(workspace.path(out, 'run.lock'), lock)
  const ended = await first.ended
  assert.equal(ended.code, 1)
  assert.match(ended.stderr, /^error: another process has taken over the folder of this run/m)
  assert.equal(await readFile(workspace.path(out, 'run.lock'), 'utf8'), lock, "the other's lock stays")
  assert.ok((await linesOf(workspace.path(out), 'events.jsonl')).every(({ event }) => event !== 'failed'))
})

test('a run whose first checkpoint cannot be saved ends before its first step', async () => {
  const out = 'unsaved'
  await mkdir(workspace.path(out))
  await cp(workspace.path('undisturbed', 'config.json'), workspace.path(out, 'config.json'))
  await writeFile(workspace.path(out, 'checkpoints'), 'a file in the way')
  const ended = await start(out, '--step-events').ended
  assert.equal(ended.code, 1)
  assert.match(ended.stderr, /^error: no checkpoint of the run can be saved: \S+checkpoints cannot be made: EEXIST[^\n]*\nNothing is lost yet: make room, or choose a folder with --out that can be written\.$/m)
  assert.ok((await linesOf(workspace.path(out), 'events.jsonl')).every(({ event }) => event !== 'step'))
})

test('a signal while images are checked ends at once, and what was found out is kept', async () => {
  const many = workspace.path('many')
  for (let copy = 0; copy < 12; copy++) for (const name of await readdir(data)) {
    await mkdir(path.join(many, name), { recursive: true })
    for (const file of await readdir(path.join(data, name))) await cp(path.join(data, name, file), path.join(many, name, `${copy}-${file}`))
  }
  const cache = workspace.path('cache-of-many')
  const checking = new Program('coordinator', command('many-run', '--data', many), { ...workspace.environment, HERD_CACHE: cache })
  const bytesRead = async (): Promise<number> => Number(/^rchar: (\d+)$/m.exec(await readFile(`/proc/${checking.child.pid}/io`, 'utf8'))?.[1])
  while (!existsSync(path.join(cache, 'datasets'))) await sleep(5)
  for (const before = await bytesRead(); (await bytesRead()) < before + 1_000_000;) await sleep(5)
  const ended = await checking.stop('SIGTERM')
  assert.equal(ended.code, 143, ended.stderr)
  assert.match(ended.stdout, /Stopped before the run began\. What was found out about the images is kept for the next start\./)
  const { root, candidates } = await scanFolder(many)
  const { facts } = await FileCache.open(cache, root, candidates.paths, assert.fail)
  const known = facts.known.filter((how) => how !== Known.nothing).length
  assert.ok(known > 0 && known < 12 * 120, `${known} files are known`)
  assert.ok(!(await readdir(workspace.folder)).includes('many-run'), 'there is no run yet')
})

test('a cache folder that cannot be made costs a warning, and no run', async () => {
  for (const [cache, reason] of [['/dev/null/x', /ENOTDIR/], ['/proc/herd/cache', /ENOENT/]] as const) {
    const { code, stdout, stderr } = await run('herd', ['data', 'check', data, '--test-fraction', '0.5'], { HERD_CACHE: cache })
    assert.equal(code, 0, stderr)
    assert.match(stdout, /120 images/)
    assert.match(stderr, /WARN.* what is found out about the images cannot be kept: .*\. The next start checks them again; HERD_CACHE names another folder\./)
    assert.match(stderr, reason)
  }
})

test('a run whose output nobody reads any more goes on, and says so once', async () => {
  const out = 'unread'
  const main = start(out)
  await main.said(/Training on/)
  main.child.stdout?.destroy()
  const ended = await main.ended
  await endsAsUndisturbed(out, ended)
  assert.equal(ended.stderr.match(/standard output cannot be written: write EPIPE\. Training goes on/g)?.length, 1, ended.stderr)
})

test('a signal is obeyed though the test after an epoch finds nobody that computes; the next start begins with it', async () => {
  const out = 'given-up'
  // An epoch has one step; its evaluation has nothing beside it.
  const options = ['--batch', '75', '--epochs', '1', '--silence-limit', '3600', '--listen', '127.0.0.1:0', '--step-events']
  const args = (place: string): string[] => command(place, ...options).filter((word) => word !== '--single-node')
  const main = new Program('coordinator', [...args(out), '--workers', '1'], workspace.environment)
  const address = await addressOf(main)
  const worker = new Program('worker', ['--coordinator', address, '--data', data], workspace.environment)
  await main.said(/worker \S+ joined/)
  await eventOf(workspace.path(out), main, ({ event }) => event === 'step')
  worker.child.kill('SIGSTOP')
  const ended = await main.stop('SIGTERM')
  await worker.stop()
  assert.equal(ended.code, 143, ended.stderr)
  const again = await new Program('coordinator', [...args(out), '--single-node'], workspace.environment).ended
  assert.equal(again.code, 0, again.stderr)
  const alone = await new Program('coordinator', [...args('given-up-alone'), '--single-node'], workspace.environment).ended
  assert.equal(alone.code, 0, alone.stderr)
  const results = async (place: string): Promise<unknown[]> => (await linesOf(workspace.path(place), 'history.jsonl')).map(({ epoch, testLoss, testAccuracy }) => ({ epoch, testLoss, testAccuracy }))
  assert.deepEqual(await results(out), await results('given-up-alone'))
  assert.equal((await summaryOf(workspace.path(out))).digest, (await summaryOf(workspace.path('given-up-alone'))).digest)
})

test('a terminal that is closed stops a run in order', async () => {
  const closed = start('hung-up')
  await closed.said(/epoch 1\/4/)
  assert.equal((await closed.stop('SIGHUP')).code, 129)
  await endsAsUndisturbed('hung-up', await start('hung-up').ended)
})

test('variables that are empty, or that Kubernetes makes for its services, are as if they were not set', async () => {
  const ended = await run('coordinator', [...command('variables'), '--epochs', '1'], { ...workspace.environment, HERD_METRICS_PORT: 'tcp://10.0.0.1:9464', HERD_HTTP_PORT: '', HERD_RECIPE: '', HERD_QUIET: 'yes' })
  assert.equal(ended.code, 0, ended.stderr)
  assert.equal(ended.stdout, '')
})

test('a user without a home folder, as in a container, can use it', { skip: process.getuid?.() === 0 ? false : 'only root can become another user' }, async () => {
  for (const folder of [workspace.folder, workspace.path('drawn')]) await chmod(folder, 0o755)
  const program = new Program('herd', ['data', 'check', data, '--test-fraction', '0.5'], {}, ['setpriv', '--reuid', '54321', '--regid', '54321', '--clear-groups', 'env', '-u', 'HOME', '-u', 'HERD_CACHE', '-u', 'XDG_CACHE_HOME'])
  const { code, stdout, stderr } = await program.ended
  assert.equal(code, 0, stderr)
  assert.match(stdout, /120 images/)
})
