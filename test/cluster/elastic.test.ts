import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { childrenOf } from '../../benchmark/bench/child_processes.ts'
import { CuttingProxy } from '../support/cutting_proxy.ts'
import { metricOf } from '../support/metrics.ts'
import { addressOf, Program } from '../support/processes.ts'
import { linesOf } from '../support/run_events.ts'
import { createWorkspace, drawAnimals, summaryOf, withoutNative, type Workspace } from '../support/workspace.ts'

/** Tests with workers that come, go, hang, lag and are cut off: the weights stay the same. The network is small and computed by wasm, which runs wherever npm does. */
let workspace: Workspace
let data: string
let undisturbed: string
const training = ['--model', 'tiny', '--image-size', '48', '--batch', '16', '--epochs', '4', '--test-fraction', '0.5', '--seed', '3']
const running = new Set<Program>()

function start(name: 'coordinator' | 'worker', args: string[], environment: Record<string, string> = {}): Program {
  const program = new Program(name, args, { ...workspace.environment, ...environment })
  running.add(program)
  void program.ended.then(() => running.delete(program))
  return program
}

function coordinator(out: string, ...options: string[]): Program {
  const engine = options.includes('--engine') ? [] : ['--engine', 'wasm']
  return start('coordinator', ['--data', data, '--out', out, '--listen', '127.0.0.1:0', ...training, ...engine, ...options])
}

function worker(address: string, name: string, environment: Record<string, string> = {}): Program {
  return start('worker', ['--coordinator', address, '--data', data, '--name', name], environment)
}

async function endsWell(main: Program, out: string): Promise<Awaited<ReturnType<typeof summaryOf>>> {
  const ended = await main.ended
  assert.equal(ended.code, 0, ended.stderr)
  const summary = await summaryOf(out)
  assert.equal(summary.digest, undisturbed)
  assert.equal(summary.lanesCounted, summary.steps * summary.lanes, 'blocks of the test set are no lanes')
  return summary
}

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 12)
  const out = workspace.path('undisturbed')
  const ended = await coordinator(out, '--single-node').ended
  assert.equal(ended.code, 0, ended.stderr)
  undisturbed = (await summaryOf(out)).digest
})
after(async () => {
  await Promise.all([...running].map((program) => program.stop()))
  await workspace.remove()
})

test('SIGTERM lets a worker finish what it was dealt and leave: nothing is computed twice, nobody is lost', async () => {
  const out = workspace.path('leaving')
  const main = coordinator(out, '--workers', '2', '--silence-limit', '3600')
  const address = await addressOf(main)
  const leaver = worker(address, 'leaver')
  const stayer = worker(address, 'stayer')
  await main.said(/epoch 1\/4/)
  const left = await leaver.stop('SIGTERM')
  assert.equal(left.code, 143, left.stderr)
  const summary = await endsWell(main, out)
  assert.equal((await stayer.ended).code, 0)
  assert.match(main.stderr, /worker leaver has left; 1 in/)
  assert.equal(summary.workersLost, 0)
  assert.equal(summary.lanesRecomputed, 0)
})

test('a coordinator and its last worker that are told to end together both do, though the test after the step finds nobody', async () => {
  const out = workspace.path('ending-together')
  // An epoch has one step, so that an evaluation comes after it.
  const main = coordinator(out, '--workers', '1', '--batch', '100', '--silence-limit', '3600')
  const last = worker(await addressOf(main), 'last')
  await main.said(/worker last joined/)
  last.child.kill('SIGSTOP')
  last.child.kill('SIGTERM')
  main.child.kill('SIGTERM')
  await main.said(/SIGTERM/)
  last.child.kill('SIGCONT')
  assert.equal((await last.ended).code, 143)
  assert.equal((await main.ended).code, 143, main.stderr)
})

test('a coordinator that was told to end does so when its last worker dies instead of finishing the step', async () => {
  const main = coordinator(workspace.path('ending-alone'), '--workers', '1', '--silence-limit', '3600')
  const last = worker(await addressOf(main), 'last')
  await main.said(/worker last joined/)
  last.child.kill('SIGSTOP')
  main.child.kill('SIGTERM')
  await main.said(/SIGTERM/)
  await last.stop('SIGKILL')
  assert.equal((await main.ended).code, 143, main.stderr)
})

test('a worker that hangs is overtaken: others compute its lanes too, before it is out', async () => {
  const out = workspace.path('overtaken')
  const main = coordinator(out, '--workers', '2', '--silence-limit', '3600')
  const address = await addressOf(main)
  const hung = worker(address, 'hung')
  worker(address, 'other')
  await main.said(/epoch 1\/4/)
  hung.child.kill('SIGSTOP')
  const summary = await endsWell(main, out)
  await hung.stop()
  assert.ok(summary.lanesTakenOver > 0)
})

test('a worker back from a hang joins again by itself, and its late results are dropped', async () => {
  const out = workspace.path('hung')
  const main = coordinator(out, '--workers', '1', '--silence-limit', '1')
  const hung = worker(await addressOf(main), 'hung')
  await main.said(/epoch 1\/4/)
  hung.child.kill('SIGSTOP')
  await main.said(/worker hung is lost: nothing was heard of it[^]*no worker is left; waiting for one to join/)
  hung.child.kill('SIGCONT')
  const summary = await endsWell(main, out)
  assert.equal((await hung.ended).code, 0, hung.stderr)
  assert.match(hung.stderr, /joining again/)
  assert.match(main.stderr, /going on after \d+ s of waiting/)
  assert.ok(summary.workersLost >= 1)
})

test('a run begins with --min-workers; a worker whose compute process hangs is found by its deadline, though its heartbeats go on, and starts a new one', async () => {
  const out = workspace.path('stuck')
  const main = coordinator(out, '--workers', '3', '--min-workers', '1', '--silence-limit', '3600')
  const stuck = worker(await addressOf(main), 'stuck')
  await main.said(/epoch 1\/4/)
  for (const pid of await childrenOf(stuck.child.pid)) process.kill(pid, 'SIGSTOP')
  const summary = await endsWell(main, out)
  assert.equal((await stuck.ended).code, 0, stuck.stderr)
  assert.match(main.stderr, /worker stuck is lost: it has not advanced for \d+\.\d s; it is given 5\.0 s/)
  assert.equal(summary.workersLost, 1)
  assert.equal(summary.workers, 1)
})

test('a worker that is cut off joins again while its old connection is still half open, and takes its place', async () => {
  const out = workspace.path('cut')
  const main = coordinator(out, '--workers', '1', '--silence-limit', '3600')
  const proxy = await CuttingProxy.to(await addressOf(main))
  const cut = worker(proxy.address, 'cut')
  await main.said(/epoch 1\/4/)
  proxy.cutHalf()
  const summary = await endsWell(main, out)
  assert.equal((await cut.ended).code, 0, cut.stderr)
  proxy.close()
  assert.match(main.stderr, /worker cut is lost: it has joined again/)
  assert.equal((await linesOf(out, 'events.jsonl')).filter((event) => event['event'] === 'workerJoined' && event['worker'] === 'cut').length, 2, 'it has its old name')
  assert.equal(summary.workersLost, 1)
})

test('a second signal ends a worker at once; the run waits, says so once, shows it in the metrics, and goes on with the next worker', async () => {
  const out = workspace.path('waiting')
  const main = coordinator(out, '--workers', '1', '--metrics-port', '0')
  const address = await addressOf(main)
  const [, url] = await main.said(/metrics at (\S+)/)
  const waiting = (): Promise<number | undefined> => metricOf(url, 'herd_waiting_for_workers')
  assert.equal(await waiting(), 1)
  const leaver = worker(address, 'leaver')
  await main.said(/worker leaver joined/)
  // Both signals wait for the worker to go on, so they reach it before any message of the coordinator.
  leaver.child.kill('SIGSTOP')
  assert.equal(await waiting(), 0)
  leaver.child.kill('SIGINT')
  leaver.child.kill('SIGTERM')
  leaver.child.kill('SIGCONT')
  const left = await leaver.ended
  assert.ok(left.code === 130 || left.code === 143, `exit code ${left.code}`)
  await main.said(/worker leaver is lost[^]*no worker is left; waiting for one to join/)
  assert.equal(await waiting(), 1)
  worker(address, 'next')
  assert.equal((await endsWell(main, out)).workersLost, 1)
  assert.equal(main.stderr.match(/no worker is left/g)?.length, 1)
  assert.match(main.stderr, /going on after \d+ s of waiting/)
})

test('a coordinator that has waited for as long as --wait-for-workers ends with a checkpoint, and can be resumed', async () => {
  const out = workspace.path('gave-up')
  const gaveUp = await coordinator(out, '--workers', '2', '--wait-for-workers', '1').ended
  assert.equal(gaveUp.code, 1)
  assert.match(gaveUp.stderr, /error: --wait-for-workers 1: no worker is in after that time\.\nA checkpoint is saved; go on with: npx coordinator --resume latest/)
  await endsWell(coordinator(out, '--resume', 'latest', '--single-node'), out)
})

const otherKernels = withoutNative !== false ? withoutNative : process.arch === 'x64' ? false : 'oneDNN chooses kernels by processor on x64 alone'
test('a worker whose processor computes other bits is refused; with --allow-mixed-numerics it is taken, and reported', { skip: otherKernels }, async () => {
  // This makes oneDNN compute as on a processor of 2008.
  const older = { ONEDNN_MAX_CPU_ISA: 'SSE41' }
  const strict = workspace.path('strict')
  // The run does not begin, since the second worker is refused.
  const main = coordinator(strict, '--workers', '2', '--engine', 'native', '--epochs', '1')
  const address = await addressOf(main)
  worker(address, 'new')
  await main.said(/worker new joined/)
  const refused = await worker(address, 'old', older).ended
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /refuses this worker: it computes other bits than new \(numerics fingerprints [0-9a-f]{16} and [0-9a-f]{16}\): the result would depend on who computes what\. Start the coordinator with --allow-mixed-numerics/)
  await main.stop()

  // The worker that was taken in there joins this run, and the refused one comes again.
  const lenient = workspace.path('lenient')
  const second = coordinator(lenient, '--workers', '2', '--engine', 'native', '--allow-mixed-numerics', '--epochs', '1', '--listen', address)
  worker(address, 'old', older)
  assert.equal((await second.ended).code, 0)
  assert.match(second.stderr, /worker (new|old): it computes other bits than (new|old) \(numerics fingerprints .*\): the result depends on who computes what\./)
  assert.equal((await summaryOf(lenient)).fingerprints.length, 2)
})
