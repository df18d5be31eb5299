import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { attackWith } from '../fuzz/storm.ts'
import { shortOrLong } from '../runner/long_forms.ts'
import { addressOf, Program } from '../support/processes.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

/** Tests that a run with real workers goes on while its ports are attacked, also by programs that know the token. */
const SEED = Number(process.env['HERD_FUZZ_SEED'] ?? 1)
const MESSAGES = Number(process.env['HERD_FUZZ_MESSAGES'] ?? shortOrLong(3000, 21_000))
const EPOCHS = shortOrLong(30, 60)
const TOKEN = 'correct-horse-battery-staple'
/** Largest growth of resident memory over the last two thirds of the messages; in the first third the coordinator meets every kind of attack for the first time. */
const MAX_GROWTH_BYTES = 96 * 1024 * 1024

let workspace: Workspace
let data: string
const training = ['--model', 'tiny', '--image-size', '32', '--batch', '16', '--epochs', String(EPOCHS), '--test-fraction', '0.5', '--engine', 'wasm', '--seed', '5']

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 10)
})
after(() => workspace.remove())

function coordinator(out: string, ...options: string[]): Program {
  return new Program('coordinator', ['--data', data, '--out', workspace.path(out), '--listen', '127.0.0.1:0', ...training, ...options], { ...workspace.environment, HERD_TOKEN: TOKEN })
}

async function memoryOf(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
}

const inMiB = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`

const descriptorsOf = async (pid: number | undefined): Promise<number> => (await readdir(`/proc/${pid}/fd`)).length

test('thousands of hostile messages beside a run: no crash, no growth of memory, and the undisturbed digest', async (t) => {
  const undisturbed = coordinator('undisturbed', '--single-node')
  const main = coordinator('attacked', '--workers', '2', '--metrics-port', '0', '--silence-limit', '5', '--allow-mixed-numerics')
  const address = await addressOf(main)
  const worker = (name: string): Program => new Program('worker', ['--coordinator', address, '--data', data, '--name', name], { ...workspace.environment, HERD_TOKEN: TOKEN })
  let workers = [worker('one'), worker('two')]
  const [, metricsPort] = await main.said(/metrics at http:\/\/127\.0\.0\.1:(\d+)/)
  await main.said(/epoch +1\//)
  const target = { port: Number(address.split(':')[1]), metricsPort: Number(metricsPort), token: `Bearer ${TOKEN}`, fingerprint: await fingerprintOf(workspace.path('attacked')) }

  let over = false
  // The run must not end before the attack does: its workers leave before the last epoch, and others come when it is over.
  let leaving: Promise<unknown> | undefined
  const held = main.said(new RegExp(`epoch +${EPOCHS - 2}/`)).then(() => {
    if (!over) leaving = Promise.all(workers.map((each) => each.stop('SIGTERM')))
  })
  const descriptors = await descriptorsOf(main.child.pid)
  const first = await attackWith(target, SEED, MESSAGES / 3)
  const memory = await memoryOf(main.child.pid)
  const second = await attackWith(target, SEED + 1, (MESSAGES * 2) / 3)
  const memoryAfter = await memoryOf(main.child.pid)
  t.diagnostic(`seed ${SEED}: ${first.messages} messages, resident memory ${inMiB(memory)}; ${second.messages} more, ${inMiB(memoryAfter)}; of them ${JSON.stringify(second.byAttack)}`)
  await descriptorsFallTo(main.child.pid, descriptors + 8)
  over = true
  if (leaving !== undefined) {
    await leaving
    workers = [worker('three'), worker('four')]
  }

  const ended = await main.ended
  await held
  assert.equal((await undisturbed.ended).code, 0, undisturbed.stderr)
  assert.equal(ended.code, 0, ended.stderr)
  assert.doesNotMatch(ended.stderr, /^\s+at /m, 'no stack trace')
  for (const each of workers) assert.equal((await each.ended).code, 0, each.stderr)
  assert.equal((await summaryOf(workspace.path('attacked'))).digest, (await summaryOf(workspace.path('undisturbed'))).digest)
  assert.match(ended.stderr, /worker hostile-\d+ is lost: .*protocol/, 'members broke the protocol, and were told so')
  assert.ok(memoryAfter - memory < MAX_GROWTH_BYTES, `resident memory grew from ${inMiB(memory)} to ${inMiB(memoryAfter)}`)
})

/** Waits until the number of open descriptors is at most `limit`: the coordinator must close connections that attackers have left half open. */
async function descriptorsFallTo(pid: number | undefined, limit: number): Promise<void> {
  const end = performance.now() + 30_000
  for (let count = await descriptorsOf(pid); count > limit; count = await descriptorsOf(pid)) {
    assert.ok(performance.now() < end, `${count} descriptors are open, where ${limit} may be`)
    await sleep(250)
  }
}

/** Numerics fingerprint of the workers of a run. Attackers have no fingerprint of images, and are let in since mixed numerics are allowed. */
async function fingerprintOf(run: string): Promise<string> {
  const events = await readFile(path.join(run, 'events.jsonl'), 'utf8')
  return /"fingerprint":"([0-9a-f]+)"/.exec(events)?.[1] ?? ''
}
