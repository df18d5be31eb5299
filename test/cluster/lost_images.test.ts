import assert from 'node:assert/strict'
import { cp, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { addressOf, Program } from '../support/processes.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

/** Tests of images that cannot be read any more, or have other bytes, after the data set was checked. */
let workspace: Workspace
let data: string
let undisturbed: string
const IMAGE = path.join('gatto', 'gatto-0001.jpeg')
const training = ['--model', 'tiny', '--image-size', '32', '--batch', '16', '--epochs', '2', '--test-fraction', '0.5', '--engine', 'wasm', '--seed', '3']

function coordinator(out: string, ...options: string[]): Program {
  return new Program('coordinator', ['--data', data, '--out', workspace.path(out), '--listen', '127.0.0.1:0', ...training, ...options], workspace.environment)
}

/** A worker whose caches are its own, so that nothing comes from them that a disk does not have. It waits no longer than it must for a coordinator that has ended. */
function worker(address: string, name: string, ...options: string[]): Program {
  return new Program('worker', ['--coordinator', address, '--name', name, '--patience', '2', '--cache', workspace.path(`cache-${name}`), ...options], workspace.environment)
}

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 6)
  const ended = await coordinator('undisturbed', '--single-node', '--cache-size', '0').ended
  assert.equal(ended.code, 0, ended.stderr)
  undisturbed = (await summaryOf(workspace.path('undisturbed'))).digest
})
after(() => workspace.remove())

test("images that a worker's own copy no longer has as they were come from the coordinator, and the digest is the same", async () => {
  const copy = workspace.path('copy')
  await cp(data, copy, { recursive: true })
  const main = coordinator('from-coordinator', '--workers', '2')
  const address = await addressOf(main)
  const lacking = worker(address, 'lacking', '--data', copy)
  await main.said(/worker lacking joined/)
  // The run begins when the second worker is in.
  await rename(path.join(copy, IMAGE), workspace.path('taken-away'))
  await writeFile(path.join(copy, 'cane', 'cane-0002.jpeg'), 'changed')
  const other = worker(address, 'other', '--data', data)
  for (const program of [main, lacking, other]) {
    const { code, stderr } = await program.ended
    assert.equal(code, 0, stderr)
  }
  assert.equal((await summaryOf(workspace.path('from-coordinator'))).digest, undisturbed)
})

test('an image that the coordinator cannot read ends the run and no worker by itself; put back, the run goes on to the same digest', async () => {
  const main = coordinator('unreadable', '--workers', '2')
  const address = await addressOf(main)
  await rename(path.join(data, IMAGE), workspace.path('moved-away'))
  const workers = ['one', 'two'].map((name) => worker(address, name))
  const ended = await main.ended
  await rename(workspace.path('moved-away'), path.join(data, IMAGE))
  assert.equal(ended.code, 1)
  assert.match(ended.stderr, /^error: \S+gatto-0001\.jpeg was there when the data set was checked, but cannot be read now: ENOENT[^\n]*\nA checkpoint is saved; go on with: npx coordinator --resume latest/m)
  for (const each of workers) {
    const { stderr } = await each.ended
    assert.doesNotMatch(stderr, /gatto|\/drawn\//, 'a worker is not told of paths on the disk of the coordinator')
    assert.match(stderr, /the coordinator cannot be reached: nothing listens there \(tried for 2 s\)/)
  }
  const again = await coordinator('unreadable', '--single-node', '--resume', 'latest').ended
  assert.equal(again.code, 0, again.stderr)
  assert.equal((await summaryOf(workspace.path('unreadable'))).digest, undisturbed)
})

test('an image that is replaced during a run poisons no cache: the run ends and names it, and the next one has the right bits', async () => {
  const main = coordinator('replaced', '--workers', '2')
  const address = await addressOf(main)
  const first = worker(address, 'first', '--data', data)
  await main.said(/worker first joined/)
  await rename(path.join(data, IMAGE), workspace.path('the-right-one'))
  await cp(path.join(data, 'cane', 'cane-0001.jpeg'), path.join(data, IMAGE))
  const second = worker(address, 'second')
  const ended = await main.ended
  await rename(workspace.path('the-right-one'), path.join(data, IMAGE))
  assert.equal(ended.code, 1)
  assert.match(ended.stderr, /^error: \S+gatto-0001\.jpeg has changed since the data set was checked: put the old file back/m)
  await Promise.all([first.ended, second.ended])

  const again = coordinator('right', '--workers', '2')
  const there = await addressOf(again)
  for (const program of [worker(there, 'first', '--data', data), worker(there, 'second'), again]) {
    const { code, stderr } = await program.ended
    assert.equal(code, 0, stderr)
  }
  assert.equal((await summaryOf(workspace.path('right'))).digest, undisturbed)
})
