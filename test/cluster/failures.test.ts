import assert from 'node:assert/strict'
import { cp, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { credentials } from '@grpc/grpc-js'
import { PROTOCOL_VERSION as protocolVersion } from '../../shared/wire/messages.ts'
import { herdService } from '../../shared/wire/service.ts'
import { addressOf, Program, replaceLast, run } from '../support/processes.ts'
import { linesOf } from '../support/run_events.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

/** Tests of failures in a run: they change nothing but its time. The network is small and computed by wasm, which runs wherever npm does. */
let workspace: Workspace
let data: string
let undisturbed: string
const training = ['--model', 'tiny', '--image-size', '48', '--batch', '16', '--epochs', '4', '--test-fraction', '0.5', '--engine', 'wasm', '--seed', '3']

function coordinator(out: string, ...options: string[]): Program {
  return new Program('coordinator', ['--data', data, '--out', out, '--listen', '127.0.0.1:0', ...training, ...options], workspace.environment)
}

function worker(address: string, ...options: string[]): Program {
  return new Program('worker', ['--coordinator', address, ...options], workspace.environment)
}

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 12)
  const out = workspace.path('undisturbed')
  const ended = await coordinator(out, '--single-node').ended
  assert.equal(ended.code, 0, ended.stderr)
  undisturbed = (await summaryOf(out)).digest
})
after(() => workspace.remove())

test("a killed worker's lanes are dealt again, a worker that joins later takes part, and the digest is the same", async () => {
  const out = workspace.path('killed')
  const main = coordinator(out, '--workers', '2')
  const address = await addressOf(main)
  const victim = worker(address, '--data', data, '--name', 'victim')
  const survivor = worker(address, '--data', data, '--name', 'survivor')
  await main.said(/epoch 1\/4/)
  victim.child.kill('SIGKILL')
  await main.said(/worker victim is lost/)
  const late = await replaceLast(main, survivor, () => worker(address, '--data', data, '--name', 'late'))
  const ended = await main.ended
  assert.equal(ended.code, 0, ended.stderr)
  assert.equal((await late.ended).code, 0)
  assert.equal((await victim.ended).signal, 'SIGKILL')

  const summary = await summaryOf(out)
  assert.equal(summary.digest, undisturbed)
  assert.equal(summary.workersLost, 1)
  const events = await linesOf(out, 'events.jsonl')
  assert.ok(events.some((event) => event['event'] === 'workerLost' && event['worker'] === 'victim'))
  assert.ok(events.some((event) => event['event'] === 'workerJoined' && event['worker'] === 'late'))
})

test('a worker without data gets its images from the coordinator, and keeps them in its cache', async () => {
  const out = workspace.path('fetched')
  const cache = workspace.path('image-cache')
  const main = coordinator(out, '--workers', '2')
  const address = await addressOf(main)
  const workers = ['one', 'two'].map((name) => worker(address, '--name', name, '--cache', cache))
  const ended = await main.ended
  assert.equal(ended.code, 0, ended.stderr)
  for (const each of workers) assert.equal((await each.ended).code, 0, each.stderr)
  assert.equal((await summaryOf(out)).digest, undisturbed)

  const again = workspace.path('fetched-again')
  const second = coordinator(again, '--workers', '1', '--metrics-port', '0')
  const from = worker(await addressOf(second), '--cache', cache)
  assert.equal((await second.ended).code, 0)
  assert.equal((await from.ended).code, 0)
  assert.equal((await summaryOf(again)).digest, undisturbed)
})

test('a worker with another data set, another protocol version, and a peer that does not keep to the protocol are turned away, and the run goes on', async () => {
  const out = workspace.path('strangers')
  const main = coordinator(out, '--workers', '1')
  const address = await addressOf(main)
  const Client = herdService()
  const client = new Client(address, credentials.createInsecure())
  const talk = (...messages: object[]): Promise<{ answers: Record<string, unknown>[]; error: string }> =>
    new Promise((resolve) => {
      const answers: Record<string, unknown>[] = []
      const call = client['control'](undefined as never) as unknown as NodeJS.ReadWriteStream
      call.on('data', (answer: Record<string, unknown>) => answers.push(answer))
      call.on('error', (error: Error) => resolve({ answers, error: error.message }))
      call.on('end', () => resolve({ answers, error: '' }))
      for (const message of messages) call.write(message as never)
    })
  const old = await talk({ hello: { protocolVersion: 999, name: 'old', instance: 'old' } })
  assert.deepEqual(old.answers, [], 'it is no refusal: a worker of another version waits, since machines are brought to a new one one after the other')
  assert.match(old.error, /FAILED_PRECONDITION: this coordinator speaks protocol version \d+, the worker 999: install the same version/)
  assert.match((await talk({ heartbeat: { residentBytes: 1 } })).error, /heartbeat came before hello/)
  assert.match((await talk({ hello: { protocolVersion, name: '', instance: 'x' } })).error, /not as the protocol has it: hello.name/)
  assert.match((await talk({ hello: { protocolVersion, name: 'x', instance: 'x' } }, { ready: { engine: '{', fingerprint: '', datasetDigest: '', inputFingerprint: '', versions: '' } })).error, /ready came before ReceiveWeights/)
  client.close()

  const other = workspace.path('other-data')
  await cp(data, other, { recursive: true })
  await writeFile(path.join(other, 'cane', 'cane-0001.jpeg'), 'changed')
  const refused = await worker(address, '--data', other).ended
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /error: the coordinator refuses this worker: the worker's --data is another data set: its digest is [0-9a-f]{12}\.\.\., the run's [0-9a-f]{12}/)

  const good = worker(address, '--data', data)
  assert.equal((await main.ended).code, 0)
  assert.equal((await good.ended).code, 0)
  assert.equal((await summaryOf(out)).digest, undisturbed)
})

test('a worker that cannot reach its coordinator tries for as long as its patience lasts, then says so', async () => {
  const ended = await run('worker', ['--coordinator', '127.0.0.1:1', '--patience', '2'], workspace.environment)
  assert.equal(ended.code, 1)
  assert.match(ended.stderr, /error: --coordinator 127\.0\.0\.1:1: the coordinator cannot be reached: nothing listens there \(tried for 2 s\)/)
})

test('a local worker that dies is started again, and the digest is the same', async () => {
  const out = workspace.path('local-killed')
  const main = coordinator(out, '--local-workers', '1')
  await main.said(/epoch 1\/4/)
  const [, pid] = await localWorkerPid(main)
  process.kill(Number(pid), 'SIGKILL')
  const ended = await main.ended
  assert.equal(ended.code, 0, ended.stderr)
  assert.match(ended.stderr, /worker local-1 was ended by SIGKILL; it is started again in 1 s\.[^]*worker local-1 joined/)
  const { digest, workersLost } = await summaryOf(out)
  assert.deepEqual([digest, workersLost], [undisturbed, 1])
})

test('when every local worker fails before it takes part, the run fails instead of waiting for ever', async () => {
  const out = workspace.path('local-failing')
  const main = coordinator(out, '--local-workers', '1')
  await addressOf(main)
  const [, pid] = await localWorkerPid(main)
  process.kill(Number(pid), 'SIGKILL')
  const ended = await main.ended
  assert.equal(ended.code, 1)
  assert.match(ended.stderr, /all 1 local workers have ended/)
})

/** Process id of the local worker, which is a child of the coordinator, as the first group of the match. */
async function localWorkerPid(parent: Program): Promise<RegExpMatchArray> {
  for (;;) {
    const match = /(\d+)/.exec(await readFile(`/proc/${parent.child.pid}/task/${parent.child.pid}/children`, 'utf8'))
    if (match !== null) return match
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
