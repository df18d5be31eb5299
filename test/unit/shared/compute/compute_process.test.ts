import assert from 'node:assert/strict'
import test from 'node:test'
import { ComputeProcess } from '../../../../shared/compute/compute_process.ts'
import { initialParameters } from '../../../../shared/model/initial.ts'
import { layoutOf } from '../../../../shared/model/layout.ts'
import { buildNetwork } from '../../../../shared/model/models.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'
import type { Compute } from '../../../../shared/compute/compute.ts'
import type { PreparedLane } from '../../../../shared/lanes/lane_stack.ts'
import { LocalCompute } from '../../../../shared/compute/local_compute.ts'
import { bytesOf } from '../../../../shared/kit/floats.ts'
import { MemoryFile } from '../../../../shared/kit/memory_file.ts'

const network = buildNetwork('tiny', { imageSize: 24, classes: 3 })
const settings = { seed: 1, compress: 'none' } as const
const request = { engine: 'wasm', precision: 'f32', threads: 1, numerics: 'native', gpu: undefined } as const

function laneOf(lane: number, step: number): PreparedLane {
  const random = new KeyedRandom(lane, Purpose.draw)
  const samples = Array.from({ length: 1 + (lane % 3) }, (_, index) => 10 * lane + index)
  return { lane, step, samples, labels: samples.map((sample) => sample % 3), images: Uint8Array.from({ length: samples.length * 24 * 24 * 3 }, () => random.below(256)) }
}

/** Runs several steps, with all requests to the compute process under way at the same time. @returns the results as text */
async function exercised(compute: Compute): Promise<string[]> {
  const results: Promise<string>[] = []
  const hex = (values: Float32Array): string => bytesOf(values).toString('hex')
  for (let step = 0; step < 6; step++) {
    compute.setParameters(initialParameters(layoutOf(network), step, 'he'))
    for (let pair = 0; pair < 3; pair++) {
      for (const lane of [2 * pair, 2 * pair + 1]) void compute.push(laneOf(lane, step), 4 + lane)
      compute.add(1 + pair)
      results.push(compute.take().then(({ values, lanes }) => `${lanes.map(({ lane, lossSum, correct }) => `${lane} ${lossSum} ${correct}`).join()} ${hex(values)}`))
    }
    results.push(compute.logits(laneOf(5, step).images, 3).then(hex))
  }
  void compute.push(laneOf(0, 9), 1)
  await compute.clear()
  return Promise.all(results)
}

test('a compute process gives the bits that the same engine gives here, through shared memory and through pipes', async (t) => {
  const local = await LocalCompute.start(network, settings, request)
  const wanted = await exercised(local)
  await local.close()
  for (const createMemory of [() => MemoryFile.create(), () => undefined]) {
    const compute = await ComputeProcess.start(network, settings, request, { createMemory })
    t.after(() => compute.close())
    assert.deepEqual(await exercised(compute), wanted)
    assert.deepEqual(await exercised(compute), wanted, 'again, in memory that was used before')
  }
})
