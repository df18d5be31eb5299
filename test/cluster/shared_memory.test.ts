import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { metricOf } from '../support/metrics.ts'
import { addressOf, Program, run } from '../support/processes.ts'
import { eventOf, linesOf } from '../support/run_events.ts'
import { WIDE_IMAGES, writeWideNetwork } from '../support/wide_network.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'
import { withoutSharedMemory } from '../support/shared_memory.ts'

/** Tests of workers on the coordinator's machine: gradients and weights go through shared memory, through sockets, or through either for different workers. */
let workspace: Workspace
let data: string
/** Options with a vector of two chunks, and lanes that are no power of two. */
let training: string[]

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 5)
  training = ['--model', await writeWideNetwork(workspace.folder, 2), ...WIDE_IMAGES, '--batch', '8', '--lanes', '6', '--epochs', '2', '--test-fraction', '0.5', '--engine', 'wasm', '--seed', '5']
})
after(() => workspace.remove())

function argumentsOf(out: string, options: readonly string[]): string[] {
  return ['--data', data, '--out', out, '--listen', '127.0.0.1:0', ...training, ...options]
}

/** Digest of a run, and for each worker that joined, true if it shared memory. */
async function outcomeOf(out: string): Promise<{ digest: string; shared: boolean[] }> {
  const joined = (await linesOf(out, 'events.jsonl')).filter(({ event }) => event === 'workerJoined')
  return { digest: (await summaryOf(out)).digest, shared: joined.map(({ sharesMemory }) => sharesMemory === true) }
}

async function finished(name: string, ...options: string[]): Promise<{ digest: string; shared: boolean[] }> {
  const out = workspace.path(name)
  const ended = await run('coordinator', argumentsOf(out, options), workspace.environment)
  assert.equal(ended.code, 0, ended.stderr)
  return outcomeOf(out)
}

test('the digest is one process\'s through memory and through sockets', { skip: withoutSharedMemory }, async () => {
  const { digest } = await finished('alone', '--single-node')
  assert.deepEqual(await finished('memory', '--local-workers', '3'), { digest, shared: [true, true, true] })
  assert.deepEqual(await finished('sockets', '--local-workers', '1', '--shared-memory', 'off'), { digest, shared: [false] })
})

test('the digest is one process\'s through memory with compressed gradients and weights; compression.test.ts has sockets', { skip: withoutSharedMemory }, async () => {
  const options = ['--compress', 'int8', '--compress-weights', 'int8']
  const { digest } = await finished('int8-alone', '--single-node', ...options)
  assert.deepEqual(await finished('int8-memory', '--local-workers', '2', ...options), { digest, shared: [true, true] })
})

test('a worker is killed, one joins late, and one stands still for some steps: the same digest, and the metrics count what went through memory', { skip: withoutSharedMemory }, async (t) => {
  // The run is long enough for the late worker to start, however busy the machine is.
  const epochs = ['--epochs', '8']
  const { digest } = await finished('undisturbed', '--single-node', ...epochs)
  const programs: Program[] = []
  t.after(() => Promise.all(programs.map((program) => program.stop())))
  const out = workspace.path('disturbed')
  const main = new Program('coordinator', argumentsOf(out, ['--workers', '3', '--step-events', '--metrics-port', '0', '--silence-limit', '60', ...epochs]), workspace.environment)
  const address = await addressOf(main)
  const [, metrics] = await main.said(/(http:\/\/\S+\/metrics)/)
  const worker = (own: string): Program => {
    const program = new Program('worker', ['--coordinator', address, '--data', data, '--name', own], workspace.environment)
    programs.push(program)
    return program
  }
  programs.push(main)
  const [doomed, survivor, still] = [worker('doomed'), worker('survivor'), worker('still')]
  const reached = (count: number): Promise<unknown> => eventOf(out, main, ({ event, step }) => event === 'step' && Number(step) >= count)
  await main.said(/worker \w+ joined[^]*worker \w+ joined[^]*worker \w+ joined/)
  await reached(1)
  assert.ok((await metricOf(metrics, 'herd_received_bytes_total') ?? 0) > 0)
  await doomed.stop('SIGKILL')
  await main.said(/worker doomed is lost/)
  still.child.kill('SIGSTOP')
  // The run cannot end before the late worker is in, since the others are stopped.
  survivor.child.kill('SIGSTOP')
  const late = worker('late')
  await main.said(/worker late joined/)
  survivor.child.kill('SIGCONT')
  const steps = (await linesOf(out, 'events.jsonl')).filter(({ event }) => event === 'step').map(({ step }) => Number(step))
  await reached(Math.max(...steps) + 1)
  still.child.kill('SIGCONT')
  for (const program of [main, survivor, still, late]) {
    const { code, stderr } = await program.ended
    assert.equal(code, 0, stderr)
  }
  const outcome = await outcomeOf(out)
  assert.equal(outcome.digest, digest)
  assert.ok(outcome.shared.length >= 4 && outcome.shared.every((shared) => shared), JSON.stringify(outcome.shared))
})
