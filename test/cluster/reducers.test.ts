import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { childrenOf } from '../../benchmark/bench/child_processes.ts'
import { loadCheckpoint, type Checkpoint } from '../../shared/checkpoint/checkpoint.ts'
import { metricOf } from '../support/metrics.ts'
import { shortOrLong } from '../runner/long_forms.ts'
import { addressOf, Program, replaceLast, run, type Ended } from '../support/processes.ts'
import { eventOf, linesOf } from '../support/run_events.ts'
import { WIDE_IMAGES, writeWideNetwork } from '../support/wide_network.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

/**
 * Tests of reducers, each with a range of the vector, with a network whose vector is cut in three: whatever
 * their number, whatever fails, the weights, the moments and the gradient's norms are those of a single process.
 */
let workspace: Workspace
let data: string
let training: string[]
let undisturbed: string
const STEPS = 8

function coordinator(out: string, ...options: string[]): Program {
  return new Program('coordinator', ['--data', data, '--out', out, '--listen', '127.0.0.1:0', ...training, ...options], workspace.environment)
}

function worker(address: string, name: string): Program {
  return new Program('worker', ['--coordinator', address, '--data', data, '--name', name], workspace.environment)
}

/** Results of the steps, one for each in order; after a crash a step is recorded again. */
async function stepsOf(out: string): Promise<unknown[]> {
  const byStep = new Map((await linesOf(out, 'events.jsonl')).filter(({ event }) => event === 'step').map(({ step, loss, gradientNorm }) => [Number(step), { step, loss, gradientNorm }]))
  return [...byStep.keys()].sort((a, b) => a - b).map((step) => byStep.get(step))
}

function latestOf(out: string): Promise<Checkpoint> {
  return loadCheckpoint(path.join(out, 'checkpoints', 'latest.ckpt'))
}

function chainOf(out: string): Promise<string> {
  return readFile(path.join(out, 'digests.jsonl'), 'utf8')
}

function wentWell({ code, stderr }: Ended): void {
  assert.equal(code, 0, stderr)
}

async function isUndisturbed(out: string): Promise<void> {
  assert.equal((await summaryOf(out)).digest, (await summaryOf(undisturbed)).digest)
  const steps = await stepsOf(out)
  assert.equal(steps.length, STEPS)
  assert.deepEqual(steps, await stepsOf(undisturbed))
  assert.equal(await chainOf(out), await chainOf(undisturbed), 'the digests of all lanes and weights are the same')
  const [own, expected] = [await latestOf(out), await latestOf(undisturbed)]
  assert.equal(own.moments.length, 2)
  own.moments.forEach((moment, index) => assert.ok(Buffer.from(moment.buffer).equals(Buffer.from(expected.moments[index].buffer)), `moment ${index} is the same`))
}

/** Process ids of the reducers that a coordinator has started, in no order. */
async function reducersOf({ child: { pid } }: Program): Promise<number[]> {
  const commands = await Promise.all((await childrenOf(pid)).map(async (child) => ({ child, command: await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '') })))
  return commands.filter(({ command }) => command.includes('reducer.mjs')).map(({ child }) => child)
}

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 5)
  training = ['--model', await writeWideNetwork(workspace.folder, 3), ...WIDE_IMAGES, '--batch', '8', '--lanes', '4', '--epochs', '2', '--test-fraction', '0.5', '--engine', 'wasm', '--seed', '3', '--step-events', '--audit-every', '1']
  undisturbed = workspace.path('undisturbed')
  wentWell(await coordinator(undisturbed, '--single-node').ended)
})
after(() => workspace.remove())

for (const [reducers, workers] of shortOrLong([[3, 3]], [[1, 2], [2, 1], [2, 4], [3, 3]])) {
  test(`with ${reducers} reducers and ${workers} workers, weights, moments and norms are those of a single process`, async () => {
    const out = workspace.path(`r${reducers}-w${workers}`)
    wentWell(await coordinator(out, '--local-workers', String(workers), '--reducers', String(reducers)).ended)
    await isUndisturbed(out)
    const joined = (await linesOf(out, 'events.jsonl')).filter(({ event }) => event === 'reducerJoined').map(({ begin, end }) => [Number(begin), Number(end)]).sort(([a], [b]) => a - b)
    assert.equal(joined.length, reducers === 1 ? 0 : reducers)
    joined.forEach(([begin], index) => assert.equal(begin, index === 0 ? 0 : joined[index - 1][1], 'ranges lie side by side'))
  })
}

test('with a worker killed in mid-step, and one that joins late, it is the same; bytes at reducers count', async () => {
  const out = workspace.path('killed')
  const main = coordinator(out, '--workers', '2', '--reducers', '2', '--metrics-port', '0')
  const [, metrics] = await main.said(/metrics at (\S+)/)
  const address = await addressOf(main)
  const [doomed, survivor] = ['doomed', 'survivor'].map((name) => worker(address, name))
  await main.said(/worker \w+ joined[^]*worker \w+ joined/)
  await eventOf(out, main, ({ event }) => event === 'step')
  await doomed.stop('SIGKILL')
  await main.said(/worker doomed is lost/)
  const late = await replaceLast(main, survivor, () => worker(address, 'late'))
  await main.said(/epoch 1\/2/)
  const vectorBytes = (await latestOf(undisturbed)).parameters.length * 4
  assert.ok(((await metricOf(metrics, 'herd_received_bytes_total')) ?? 0) >= 4 * vectorBytes)
  assert.ok(((await metricOf(metrics, 'herd_sent_bytes_total')) ?? 0) >= 4 * vectorBytes)
  wentWell(await main.ended)
  wentWell(await late.ended)
  assert.equal((await summaryOf(out)).workersLost, 1)
  await isUndisturbed(out)
})

test('a reducer that is killed costs the way back to the last checkpoint: the run goes on by itself, and it is the same', async () => {
  const out = workspace.path('reducer-killed')
  const main = coordinator(out, '--local-workers', '1', '--reducers', '3', '--checkpoint-minutes', '0.0001')
  await main.said(/worker \S+ joined/)
  await eventOf(out, main, ({ event, step }) => event === 'checkpoint' && Number(step) > 0)
  const reducers = await reducersOf(main)
  assert.equal(reducers.length, 3)
  process.kill(reducers[1], 'SIGKILL')
  const ended = await main.ended
  wentWell(ended)
  assert.match(ended.stderr, /WARN: reducer \S+ .*(SIGKILL|is lost).* Going back to the last checkpoint in 1 s\./)
  assert.match(ended.stdout, /Going on from \S+latest\.ckpt/)
  await isUndisturbed(out)
  const { restarts } = await summaryOf(out)
  assert.equal(restarts, 1)
})

test('a reducer that is killed before anything was trained ends the run with the way to go on', async () => {
  const out = workspace.path('reducer-killed-early')
  const main = coordinator(out, '--workers', '1', '--reducers', '2')
  await addressOf(main)
  await eventOf(out, main, ({ event }) => event === 'checkpoint')
  const [reducer] = await reducersOf(main)
  process.kill(reducer, 'SIGKILL')
  const ended = await main.ended
  assert.equal(ended.code, 1)
  assert.match(ended.stderr, /error: reducer \S+ .*(SIGKILL|is lost).*\nGo on from the last checkpoint with: npx coordinator --resume latest --out \S+ --data \S+ --workers 1 --reducers 2 --listen 127\.0\.0\.1:0 --audit-every 1 --step-events --pictures off\n$/)
  wentWell(await coordinator(out, '--local-workers', '1', '--resume', 'latest').ended)
  await isUndisturbed(out)
})

test('a run that is stopped goes on from its step with one reducer, which is the coordinator', async () => {
  const out = workspace.path('stopped')
  const main = coordinator(out, '--local-workers', '2', '--reducers', '2')
  await main.said(/epoch 1\/2/)
  main.child.kill('SIGTERM')
  assert.equal((await main.ended).code, 143)
  wentWell(await coordinator(out, '--local-workers', '1', '--reducers', '1', '--resume', 'latest').ended)
  await isUndisturbed(out)
})

test('steps whose gradient is not finite are left out by every reducer', async () => {
  const options = ['--lr', '1e11', '--on-nonfinite', 'skip']
  const [alone, shared] = [workspace.path('nonfinite-alone'), workspace.path('nonfinite-shared')]
  wentWell(await coordinator(alone, '--single-node', ...options).ended)
  wentWell(await coordinator(shared, '--local-workers', '1', '--reducers', '2', ...options).ended)
  const skippedOf = async (out: string): Promise<unknown[]> => (await linesOf(out, 'events.jsonl')).filter(({ event }) => event === 'gradientNotFinite').map(({ step, lanes, parameter }) => ({ step, lanes, parameter }))
  const skipped = await skippedOf(shared)
  assert.ok(skipped.length > 0 && skipped.length < STEPS, `${skipped.length} steps were left out`)
  assert.deepEqual(skipped, await skippedOf(alone))
  assert.equal((await summaryOf(shared)).digest, (await summaryOf(alone)).digest)
})

test('reducers that are started elsewhere, with a token, are waited for, and share the vector out', async () => {
  const out = workspace.path('elsewhere')
  const environment = { ...workspace.environment, HERD_TOKEN: 'a-token-of-this-cluster' }
  const main = new Program('coordinator', ['--data', data, '--out', out, '--listen', '127.0.0.1:0', ...training, '--local-workers', '1', '--reducers', '2', '--reducers-elsewhere'], environment)
  const [, address] = await main.said(/waiting for 2 reducers at (\S+)/)
  const stranger = await new Program('reducer', ['--coordinator', address], workspace.environment).ended
  assert.equal(stranger.code, 1)
  assert.match(stranger.stderr, /asks for a token/)
  const reducers = [1, 2].map(() => new Program('reducer', ['--coordinator', address], environment))
  await addressOf(main)
  const third = await new Program('reducer', ['--coordinator', address], environment).ended
  assert.equal(third.code, 1)
  assert.match(third.stderr, /refuses this reducer: this run has all the reducers that it wants/)
  wentWell(await main.ended)
  for (const reducer of reducers) wentWell(await reducer.ended)
  await isUndisturbed(out)
})

test('by mutual TLS and with a token, reducers and workers know each other, and strangers reach neither port', async (t) => {
  const certificates = workspace.path('certs')
  const others = workspace.path('others')
  for (const out of [certificates, others]) wentWell(await run('herd', ['certs', '--out', out, '--host', '127.0.0.1']))
  const own = (folder: string, name: string): string[] => ['--tls-ca', path.join(folder, 'ca.crt'), '--tls-cert', path.join(folder, `${name}.crt`), '--tls-key', path.join(folder, `${name}.key`)]
  const out = workspace.path('tls')
  const token = { HERD_TOKEN: 'a-token-of-this-cluster' }
  const start = (program: 'coordinator' | 'worker' | 'reducer', args: string[]): Program => {
    const started = new Program(program, args, { ...workspace.environment, ...token })
    t.after(() => started.stop())
    return started
  }
  const main = start('coordinator', ['--data', data, '--out', out, '--listen', '127.0.0.1:0', ...training, '--workers', '2', '--reducers', '2', ...own(certificates, 'coordinator')])
  const address = await addressOf(main)
  const workers = ['one', 'two'].map((name) => start('worker', ['--coordinator', address, '--data', data, '--name', name, ...own(certificates, 'worker')]))
  const stranger = start('worker', ['--coordinator', address, '--data', data, '--name', 'stranger', '--patience', '1', '--tls-ca', path.join(certificates, 'ca.crt'), ...own(others, 'worker').slice(2)])
  assert.notEqual((await stranger.ended).code, 0)
  for (const program of [main, ...workers]) wentWell(await program.ended)
  await isUndisturbed(out)
  assert.ok((await linesOf(out, 'events.jsonl')).every(({ event, worker: name }) => event !== 'workerJoined' || name !== 'stranger'))
})

test('more reducers than the vector has chunks, and options that exclude each other, are refused before anything is written', async () => {
  const refusals: [options: string[], says: RegExp][] = [
    [['--reducers', '4'], /--reducers 4: expected at most 3, since the network's \d+ parameters/],
    [['--reducers', '2', '--model', 'tiny'], /--reducers 2: expected at most 1: it is too small to be cut/],
    [['--reducers', '2', '--single-node'], /--reducers 2 and --single-node exclude each other/],
    [['--reducers-elsewhere'], /--reducers-elsewhere needs --reducers/],
  ]
  for (const [options, says] of refusals) {
    const ended = await coordinator(workspace.path('refused'), ...options).ended
    assert.equal(ended.code, 2, ended.stderr)
    assert.match(ended.stderr, says)
  }
  const ended = await new Program('reducer', ['--tls-ca', 'ca.crt'], workspace.environment).ended
  assert.equal(ended.code, 2)
  assert.match(ended.stderr, /--tls-ca, --tls-cert and --tls-key go together/)
})
