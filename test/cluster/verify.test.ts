import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { nameOf, startLiar, type LyingKind } from '../chaos/liars.ts'
import { addressOf, Program } from '../support/processes.ts'
import { linesOf } from '../support/run_events.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

/** Tests of --verify with real processes. docs/simulation.md has more liars, and the chaos runs have all kinds of lies. */
let workspace: Workspace
let data: string
const training = ['--model', 'tiny', '--image-size', '32', '--batch', '8', '--lanes', '4', '--epochs', '4', '--test-fraction', '0.5', '--engine', 'wasm', '--seed', '3', '--pictures', 'off']

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 8)
})
after(() => workspace.remove())

test('a bit that flips in a sum of gradients, or in the weights of a worker, is found: each such worker is named and out, and the weights are those of an undisturbed run', async () => {
  const undisturbed = await new Program('coordinator', ['--data', data, '--out', workspace.path('undisturbed'), '--single-node', ...training], workspace.environment).ended
  assert.equal(undisturbed.code, 0, undisturbed.stderr)

  const out = workspace.path('lied-to')
  const coordinator = new Program('coordinator', ['--data', data, '--out', out, '--workers', '4', '--verify', '100%', '--step-events', '--listen', '127.0.0.1:0', ...training], workspace.environment)
  const address = await addressOf(coordinator)
  const worker = (name: string): string[] => ['--coordinator', address, '--data', data, '--name', name]
  const honest = ['one', 'two'].map((name) => new Program('worker', worker(name), workspace.environment))
  const lying: LyingKind[] = ['flipped', 'weights']
  const liars = lying.map((kind) => startLiar(kind, worker(nameOf(kind)), workspace.environment))
  assert.equal((await coordinator.ended).code, 0, coordinator.stderr)
  for (const { ended } of honest) assert.equal((await ended).code, 0)

  assert.equal((await summaryOf(out)).digest, (await summaryOf(workspace.path('undisturbed'))).digest)
  const events = await linesOf(out, 'events.jsonl')
  for (const [index, kind] of lying.entries()) {
    const [lie, ...more] = events.filter(({ event, identity }) => event === 'workerLied' && identity === nameOf(kind))
    assert.deepEqual(more, [], `${nameOf(kind)} is out at once`)
    assert.notEqual(lie.digest, lie.truth)
    const { code, stderr } = await liars[index].ended
    assert.equal(code, 1, stderr)
    assert.match(stderr, new RegExp(`${nameOf(kind)} was put out of this run at step \\d+: it (sent|answered) `))
  }
  assert.deepEqual(events.flatMap(({ event, identity }) => (event === 'workerLied' ? [identity] : [])).toSorted(), lying.map(nameOf).toSorted(), 'nobody else')
  assert.ok(events.some(({ event, result }) => event === 'checked' && result === 'confirmed'))
})
