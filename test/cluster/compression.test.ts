import assert from 'node:assert/strict'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { loadCheckpoint } from '../../shared/checkpoint/checkpoint.ts'
import { metricOf } from '../support/metrics.ts'
import { shortOrLong } from '../runner/long_forms.ts'
import { addressOf, Program, replaceLast, run } from '../support/processes.ts'
import { eventOf } from '../support/run_events.ts'
import { WIDE_IMAGES, writeWideNetwork } from '../support/wide_network.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

/** Tests of compressed gradients and weights: they are rounded, but the same on every cluster, whatever fails. */
let workspace: Workspace
let data: string
/** Options with a vector of two chunks, and lanes that are no power of two. */
let training: string[]

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 5)
  training = ['--model', await writeWideNetwork(workspace.folder, 2), ...WIDE_IMAGES, '--batch', '8', '--lanes', '6', '--epochs', '2', '--test-fraction', '0.5', '--engine', 'wasm', '--seed', '5', '--shared-memory', 'off']
})
after(() => workspace.remove())

function argumentsOf(out: string, options: readonly string[]): string[] {
  return ['--data', data, '--out', out, '--listen', '127.0.0.1:0', ...training, ...options]
}

async function digestOf(name: string, ...options: string[]): Promise<string> {
  const out = workspace.path(name)
  const ended = await run('coordinator', argumentsOf(out, options), workspace.environment)
  assert.equal(ended.code, 0, ended.stderr)
  return (await summaryOf(out)).digest
}

/** Runs a training in which a worker is killed in mid-step, and another takes its place. @returns the digest */
async function disturbed(name: string, ...options: string[]): Promise<string> {
  const out = workspace.path(name)
  const main = new Program('coordinator', argumentsOf(out, ['--workers', '2', '--step-events', ...options]), workspace.environment)
  const address = await addressOf(main)
  const worker = (own: string): Program => new Program('worker', ['--coordinator', address, '--data', data, '--name', own], workspace.environment)
  const [doomed, survivor] = [worker('doomed'), worker('survivor')]
  await main.said(/worker \w+ joined[^]*worker \w+ joined/)
  await eventOf(out, main, ({ event }) => event === 'step')
  await doomed.stop('SIGKILL')
  await main.said(/worker doomed is lost/)
  const late = await replaceLast(main, survivor, () => worker('late'))
  for (const program of [main, late]) {
    const { code, stderr } = await program.ended
    assert.equal(code, 0, stderr)
  }
  const { digest, workersLost } = await summaryOf(out)
  assert.equal(workersLost, 1)
  return digest
}

type Kind = 'two reducers' | 'a worker that is killed'
const every: Kind[] = ['two reducers', 'a worker that is killed']
/** Formats with the clusters that they are tested on; in short form, each number of workers and each kind of cluster comes with one format. */
const formats: [compress: string, weights: string, workers: number[], kinds: Kind[]][] = [
  ['bf16', 'bf16', shortOrLong([], [1, 2, 3, 4]), shortOrLong(['two reducers'], every)],
  ['bf16', 'none', shortOrLong([1], [2]), shortOrLong([], every)],
  ['int8', 'int8', shortOrLong([3], [1, 3]), shortOrLong(['a worker that is killed'], every)],
]
const digests = new Map<string, string>()

for (const [compress, weights, workers, kinds] of formats) {
  test(`gradients in ${compress}, weights in ${weights}: one digest for one process, ${[...(workers.length === 0 ? [] : [`${workers.join(', ')} workers`]), ...kinds].join(', ')}`, async () => {
    const options = ['--compress', compress, '--compress-weights', weights]
    const name = `${compress}-${weights}`
    const alone = await digestOf(`${name}-alone`, '--single-node', ...options)
    digests.set(name, alone)
    for (const count of workers) assert.equal(await digestOf(`${name}-${count}`, '--local-workers', String(count), ...options), alone, `${count} workers`)
    if (kinds.includes('two reducers')) assert.equal(await digestOf(`${name}-reducers`, '--local-workers', '2', '--reducers', '2', ...options), alone, 'two reducers')
    if (kinds.includes('a worker that is killed')) assert.equal(await disturbed(`${name}-disturbed`, ...options), alone, 'disturbed')
  })
}

test('each pair of formats, and none, gives weights of its own; a run is resumed in the format that it began with', async () => {
  const uncompressed = await digestOf('none', '--single-node')
  assert.equal(new Set([uncompressed, ...digests.values()]).size, 1 + formats.length)
  const out = workspace.path('resumed')
  const begun = await run('coordinator', argumentsOf(out, ['--single-node', '--compress', 'bf16', '--compress-weights', 'bf16', '--epochs', '1']), workspace.environment)
  assert.equal(begun.code, 0, begun.stderr)
  const resume = ['--data', data, '--out', out, '--resume', 'latest', '--listen', '127.0.0.1:0', '--epochs', '2']
  const other = await run('coordinator', [...resume, '--single-node', '--compress', 'int8'], workspace.environment)
  assert.equal(other.code, 2)
  assert.match(other.stderr, /--compress int8: the run of \S+ began with bf16; leave the option out to resume it\./)
  const resumed = await run('coordinator', [...resume, '--local-workers', '2'], workspace.environment)
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.equal((await summaryOf(out)).digest, digests.get('bf16-bf16'))
})

test('int8 gradients take 65/256 of the bytes of float32, and bf16 weights half', async () => {
  const out = workspace.path('bytes')
  const options = ['--local-workers', '1', '--compress', 'int8', '--compress-weights', 'bf16', '--metrics-port', '0', '--epochs', '30']
  const main = new Program('coordinator', argumentsOf(out, options), workspace.environment)
  const [, metrics] = await main.said(/metrics at (\S+)/)
  await main.said(/epoch +2\/30/)
  const [received, sent, steps] = await Promise.all(['herd_received_bytes_total', 'herd_sent_bytes_total', 'herd_step'].map(async (name) => (await metricOf(metrics, name)) ?? 0))
  main.child.kill('SIGTERM')
  await main.ended
  const vectorBytes = (await loadCheckpoint(path.join(out, 'checkpoints', 'latest.ckpt'))).parameters.length * 4
  // One worker delivers one partial sum a step; a step more or less can be under way between the three readings.
  assert.ok(Math.abs(received / ((65 / 256) * vectorBytes) - steps) <= 1.02, `received ${received} in ${steps} steps`)
  assert.ok(Math.abs(sent / ((1 / 2) * vectorBytes) - (steps + 1)) <= 1.02, `sent ${sent} in ${steps} steps`)
})
