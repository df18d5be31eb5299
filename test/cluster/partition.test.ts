import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { makeHosts, withoutHosts } from '../../benchmark/hosts/hosts.ts'
import { FaultyLink } from '../chaos/link.ts'
import { addressOf, Program } from '../support/processes.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

/** Tests of partitions of the network, which a program notices only by hearing nothing any more. */
let workspace: Workspace
let data: string
let undisturbed: string
const training = ['--model', 'tiny', '--image-size', '48', '--batch', '16', '--epochs', '5', '--test-fraction', '0.5', '--engine', 'wasm', '--seed', '3', '--shared-memory', 'off']

const programs: Program[] = []

function start(program: Program): Program {
  programs.push(program)
  return program
}

function coordinator(out: string, options: string[], launcher?: readonly string[]): Program {
  return start(new Program('coordinator', ['--data', data, '--out', out, ...training, ...options], workspace.environment, launcher))
}

function worker(name: string, address: string, launcher?: readonly string[]): Program {
  return start(new Program('worker', ['--coordinator', address, '--data', data, '--name', name], workspace.environment, launcher))
}

/** Stops programs that a failed test has left, and workers that were still cut off when the run ended. */
async function stopAll(): Promise<void> {
  await Promise.all(programs.splice(0).map((program) => program.stop()))
}

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 12)
  const ended = await coordinator(workspace.path('undisturbed'), ['--single-node']).ended
  assert.equal(ended.code, 0, ended.stderr)
  undisturbed = (await summaryOf(workspace.path('undisturbed'))).digest
})
after(async () => {
  await stopAll()
  await workspace.remove()
})

test('a worker behind a partition is given up, the others go on, and when the network is whole again it joins by itself', async () => {
  const out = workspace.path('partition')
  const main = coordinator(out, ['--listen', '127.0.0.1:0', '--workers', '2', '--silence-limit', '2'])
  const address = await addressOf(main)
  const link = await FaultyLink.open(Number(address.split(':').at(-1)))
  const near = worker('near', address)
  const far = worker('far', link.address)
  await main.said(/epoch 1\/5/)
  link.silence()
  await main.said(/worker far is lost: nothing was heard of it/)
  await main.said(/epoch 2\/5/)
  link.heal()
  // The run now needs the worker that was cut off.
  assert.equal((await near.stop('SIGTERM')).code, 143, near.stderr)
  await main.said(/worker far is lost[^]*worker far joined/)
  const ended = await main.ended
  assert.equal(ended.code, 0, ended.stderr)
  assert.equal((await far.ended).code, 0, far.stderr)
  await link.close()
  const summary = await summaryOf(out)
  assert.equal(summary.digest, undisturbed)
  // The lanes that it held were taken over by the other worker, or dealt again when it was lost.
  assert.ok(summary.lanesTakenOver + summary.lanesRecomputed > 0)
})

test('two hosts whose cable is pulled and plugged in again: the run waits, the workers join again by themselves, and the digest is the same', { skip: await withoutHosts() }, async () => {
  const { hosts: [here, there], remove } = await makeHosts(2)
  try {
    const out = workspace.path('two-hosts')
    const address = `${here.address}:7070`
    const main = coordinator(out, ['--listen', address, '--workers', '2', '--silence-limit', '2', '--insecure'], here.launcher)
    for (const name of ['one', 'two']) worker(name, address, there.launcher)
    await main.said(/epoch 1\/5/)
    await here.cable(false)
    await main.said(/worker one is lost: nothing was heard of it/)
    await main.said(/worker two is lost: nothing was heard of it/)
    await main.said(/no worker is left; waiting for one to join/)
    await here.cable(true)
    const ended = await main.ended
    assert.equal(ended.code, 0, ended.stderr)
    assert.match(main.stderr, /is lost[^]*worker (one|two) joined/)
    assert.equal((await summaryOf(out)).digest, undisturbed)
  } finally {
    await stopAll()
    await remove()
  }
})
