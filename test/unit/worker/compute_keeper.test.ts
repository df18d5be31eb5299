import assert from 'node:assert/strict'
import test from 'node:test'
import { ComputeProcess } from '../../../shared/compute/compute_process.ts'
import { defaultTransforms } from '../../../shared/data/transforms/transforms.ts'
import { EngineError } from '../../../shared/kit/errors.ts'
import { initialParameters } from '../../../shared/model/initial.ts'
import { layoutOf } from '../../../shared/model/layout.ts'
import { buildNetwork } from '../../../shared/model/models.ts'
import type { PreparedLane } from '../../../shared/lanes/lane_stack.ts'
import type { RunDescription } from '../../../shared/wire/run_description.ts'
import { ComputeKeeper } from '../../../worker/compute_keeper.ts'
import { article } from '../../../shared/recipe/presets.ts'

const network = buildNetwork('tiny', { imageSize: 8, classes: 2 })
const run: RunDescription = { ...article, name: 'run', network, ...defaultTransforms(network), engine: 'wasm', precision: 'f32', threads: 1, seed: 1, batch: 4, lanes: 2, datasetDigest: '0'.repeat(64), compress: 'none', compressWeights: 'none', trace: false }
const parameters = initialParameters(layoutOf(network), 1, 'pytorch')
const lane = (number: number): PreparedLane => ({ lane: number, step: 0, samples: [number], labels: [0], images: new Uint8Array(8 * 8 * 3).fill(40 * (number + 1)) })

function keeper(patienceMs?: number): { computes: ComputeKeeper; started: ComputeProcess[] } {
  const started: ComputeProcess[] = []
  const computes = new ComputeKeeper(async ({ network: described, seed, compress, ...engine }) => {
    const compute = await ComputeProcess.start(described, { seed, compress }, { ...engine, gpu: undefined })
    started.push(compute)
    return compute
  }, patienceMs)
  return { computes, started }
}

test('a session gets the process of the one before, and nothing of what that one left in it', async () => {
  const { computes, started } = keeper()
  const first = await computes.lease(run)
  first.setParameters(parameters)
  await first.push(lane(0), 1)
  const wanted = await first.take()
  // The session is cut off between two lanes of a partial sum, and does not know it yet.
  const late = [first.push(lane(1), 2), first.take(), first.push(lane(1), 2)].map((pending) => assert.rejects(pending, EngineError))
  await first.close()
  await Promise.all(late)
  await assert.rejects(first.push(lane(1), 2), EngineError)
  assert.throws(() => first.add(0), EngineError)

  // A run with other settings needs another process only if they change what it computes.
  const second = await computes.lease({ ...run, batch: 8 })
  assert.equal(second.pid, started[0].pid)
  assert.equal(started.length, 1)
  second.setParameters(parameters)
  await second.push(lane(0), 1)
  assert.deepEqual((await second.take()).values, wanted.values)
  await assert.rejects(second.take(), /the lane stack is empty/)
  await second.close()
  await computes.close()
})

test('a process of another run, one that died and one that hangs are replaced, and none is left behind', async () => {
  const { computes, started } = keeper(200)
  const first = await computes.lease(run)
  await first.close()
  const other = await computes.lease({ ...run, seed: 2 })
  assert.equal(started.length, 2)
  assert.equal(started[0].usable, false)

  process.kill(other.pid ?? 0, 'SIGKILL')
  await assert.rejects(other.take(), /ended by SIGKILL/)
  await other.close()
  const hanging = await computes.lease({ ...run, seed: 2 })
  assert.equal(started.length, 3)

  process.kill(hanging.pid ?? 0, 'SIGSTOP')
  await hanging.close()
  const last = await computes.lease({ ...run, seed: 2 })
  assert.equal(started.length, 4)
  await computes.close()
  await last.close()
  assert.deepEqual(started.map(({ usable }) => usable), [false, false, false, false])
})
