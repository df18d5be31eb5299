import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { withoutGpu } from '../support/gpu.ts'
import { addressOf, Program, type Ended } from '../support/processes.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

/** Tests of real processes that share the first GPU: any number of them gives the same digest. */
let workspace: Workspace
let data: string
const skip = await withoutGpu()

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 5)
})
after(() => workspace.remove())

function wentWell({ code, stderr }: Ended): void {
  assert.equal(code, 0, stderr)
}

for (const precision of ['f32', 'bf16']) {
  test(`digests are equal for one process and for 1 and 3 workers on a GPU: ${precision}`, { skip }, async () => {
    const outs = { single: workspace.path(`${precision}-single`), one: workspace.path(`${precision}-one`), three: workspace.path(`${precision}-three`) }
    const coordinator = (out: string, ...how: string[]): Program =>
      new Program('coordinator', [
        '--data', data, '--out', out, '--listen', '127.0.0.1:0', '--image-size', '156', '--batch', '12', '--epochs', '2', '--seed', '7', '--lr', '1e-3',
        '--test-fraction', '0.5', '--engine', 'native', '--precision', precision, ...how,
      ], workspace.environment)
    wentWell(await coordinator(outs.single, '--single-node', '--gpu', '0').ended)

    const one = await coordinator(outs.one, '--local-workers', '1', '--gpu', '0').ended
    wentWell(one)
    assert.match(one.stdout + one.stderr, /joined \(.*gpu:0\)/)

    // The option --local-workers would give each worker a GPU of its own.
    const three = coordinator(outs.three, '--workers', '3')
    const address = await addressOf(three)
    const workers = ['a', 'b', 'c'].map((name) => new Program('worker', ['--coordinator', address, '--data', data, '--name', name, '--gpu', '0'], workspace.environment))
    const ended = await three.ended
    wentWell(ended)
    assert.doesNotMatch(ended.stdout + ended.stderr, /joined \(.*cpu\)/)
    for (const worker of workers) wentWell(await worker.ended)

    const digests = await Promise.all(Object.values(outs).map(async (out) => (await summaryOf(out)).digest))
    assert.equal(new Set(digests).size, 1, digests.join(' '))
  })
}
