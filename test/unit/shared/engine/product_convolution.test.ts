import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import type { GraphForms } from '../../../../shared/engine/graph/forms.ts'
import { writeTrainingModel } from '../../../../shared/engine/graph/training_graph.ts'
import { layoutOf } from '../../../../shared/model/layout.ts'
import { networkOf } from './layers_problem.ts'

/** What portable convolutions compute is held to a float64 reference in layers.test.ts; here, that no operation is left whose sums are cut by the processor's caches. */
const network = networkOf([
  { type: 'conv2d', filters: 4, kernel: 3, padding: 'same' }, { type: 'relu' }, { type: 'conv2d', filters: 40, kernel: 3, stride: 2 }, { type: 'conv2d', filters: 4, kernel: 1 },
  { type: 'flatten' }, { type: 'dense', units: 3 },
], { imageSize: 12 })

async function operations(forms: GraphForms): Promise<string[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'herd-test-'))
  try {
    await writeTrainingModel(folder, network, layoutOf(network), 'f32', forms)
    const model = await readFile(path.join(folder, 'saved_model.pb'), 'latin1')
    return [...new Set(model.match(/Conv2D(Backprop(Input|Filter))?/g))].sort()
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('in the portable form no convolution is left, nor a gradient of its input', async () => {
  assert.deepEqual(await operations('products'), ['Conv2D', 'Conv2DBackpropFilter', 'Conv2DBackpropInput'])
  assert.deepEqual(await operations('portable'), ['Conv2DBackpropFilter'])
})
