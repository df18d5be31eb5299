import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { QUICK_MODEL, runChaos } from '../chaos/chaos.ts'
import type { PlannedFault } from '../chaos/faults.ts'
import { describeReport } from '../chaos/report.ts'
import { createWorkspace, drawAnimals, type Workspace } from '../support/workspace.ts'

/** Faults of this short version of `npm run chaos`: each comes after an epoch, so that all of them come on any machine. */
const faults: PlannedFault[] = [
  { kind: 'kill', after: { epoch: 1, seconds: 0.05 }, victim: 0, seconds: 0 },
  { kind: 'hang', after: { epoch: 2, seconds: 0.1 }, victim: 0.5, seconds: 4 },
  { kind: 'cut', after: { epoch: 3, seconds: 0 }, victim: 0.9, seconds: 0.5 },
  // The coordinator is killed while the worker that was cut off is still away.
  { kind: 'killCoordinator', after: { epoch: 4, seconds: 0.2 }, victim: 0, seconds: 0 },
  { kind: 'partition', after: { epoch: 5, seconds: 0 }, victim: 0, seconds: 1 },
]

let workspace: Workspace
before(async () => {
  workspace = await createWorkspace()
})
after(() => workspace.remove())

test('workers killed, hung and cut off, and the coordinator killed, change neither the digest nor the loss, accuracy and images of any epoch', async () => {
  const data = await drawAnimals(workspace.path('data'), 20)
  const report = await runChaos(
    { seed: 1, engine: 'wasm', epochs: 7, model: QUICK_MODEL, liars: [], out: workspace.folder, environment: workspace.environment, plans: [faults], say: () => undefined },
    data,
  )
  assert.deepEqual(report.differences, [], describeReport(report))
  assert.deepEqual(report.injected.map(({ kind }) => kind), faults.map(({ kind }) => kind))
  const noticed = report.faults.filter((kind) => kind.noticed > 0).map(({ kind }) => kind)
  // A worker that hangs is overtaken by the others; the run may be over before it is given up.
  for (const kind of ['kill', 'cut'] as const) assert.ok(noticed.includes(kind), `${kind} was not noticed\n${describeReport(report)}`)
  assert.equal(report.recovery.coordinatorDeath.deaths, 1)
  assert.ok(report.lanes.dealtAgain > 0 && report.lanes.takenOver > 0, describeReport(report))
})
