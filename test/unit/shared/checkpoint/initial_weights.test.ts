import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { takeWeights } from '../../../../shared/checkpoint/initial_weights.ts'
import { encodeSafetensors, type NamedTensor } from '../../../../shared/checkpoint/safetensors.ts'
import { torchNetwork } from '../../../../shared/checkpoint/torch_weights.ts'
import { readWeightsFile } from '../../../../shared/checkpoint/weights_file.ts'
import { bytesOf } from '../../../../shared/kit/floats.ts'
import { CheckpointError, UsageError } from '../../../../shared/kit/errors.ts'
import { layoutOf, viewOf, type Layout } from '../../../../shared/model/layout.ts'
import { buildNetwork } from '../../../../shared/model/models.ts'
import type { Network } from '../../../../shared/model/network.ts'
import { torchNamesOf } from '../../../../shared/model/torch_names.ts'

/** A network with a flattened image, whose dense kernel has another order in PyTorch, and a residual with batch norm. */
const mixed: Network = {
  ...buildNetwork('tiny', { imageSize: 16, classes: 4 }), name: 'mixed',
  layers: [
    { type: 'conv2d', filters: 3, kernel: 3, stride: 2, padding: 'same', bias: true },
    { type: 'residual', layers: [{ type: 'depthwiseConv2d', kernel: 3, stride: 1, padding: 'same', bias: false }, { type: 'batchNorm', momentum: 0.9, epsilon: 1e-5 }], shortcut: [] },
    { type: 'flatten' },
    { type: 'dense', units: 5, bias: true },
    { type: 'dense', units: 4, bias: true },
  ],
}

/** A network, and a vector for it whose values are all different. */
function trained(network: Network): { network: Network; layout: Layout; vector: Float32Array } {
  const layout = layoutOf(network)
  return { network, layout, vector: Float32Array.from({ length: layout.size }, (_, index) => index + 0.5) }
}

function taken(tensors: readonly NamedTensor[], network: Network): { vector: Float32Array; sentences: string[] } {
  const layout = layoutOf(network)
  const vector = new Float32Array(layout.size)
  return { vector, sentences: takeWeights(tensors, network, layout, vector, 'w.safetensors').sentences }
}

test('all weights come back from what a checkpoint and herd export call them, also those after a flattened image', () => {
  const { network, layout, vector } = trained(mixed)
  const own = layout.parameters.map((parameter) => ({ name: parameter.name, shape: parameter.shape, values: viewOf(vector, parameter) }))
  for (const [tensors, whose] of [
    [own, "Herd's own names"],
    [[...own.map((tensor) => ({ ...tensor, name: `parameters/${tensor.name}` })), ...own.map((tensor) => ({ ...tensor, name: `adam.m/${tensor.name}` }))], "the names of Herd's checkpoints"],
    [torchNetwork({ network, parameters: vector }).tensors, 'the names of "herd export"'],
  ] as const) {
    const found = taken(tensors, network)
    assert.deepEqual(found.vector, vector, whose)
    assert.equal(found.sentences[0], `--init w.safetensors: 11 of 11 parameters, 1,112 of 1,112 values, are taken from it, by ${whose}.`)
    assert.equal(found.sentences[2], 'Nothing was missing.')
  }
})

test('a published network takes weights by the names of PyTorch; the head of other classes is left, and said to be', () => {
  const { network, layout, vector } = trained(buildNetwork('efficientnet_lite0', { imageSize: 32, classes: 7 }))
  // The layers' own export brings each parameter into PyTorch's order; only the names are others.
  const names = torchNamesOf(network)
  const tensors = torchNetwork({ network, parameters: vector }).tensors.map((tensor, index) => ({ ...tensor, name: names?.get(layout.parameters[index].name)?.name ?? '' }))
  const same = taken(tensors, network)
  assert.ok(bytesOf(same.vector).equals(bytesOf(vector)))
  assert.match(same.sentences[0], /: 247 of 247 parameters, .* by PyTorch's names of this network\.$/)

  const other = buildNetwork('efficientnet_lite0', { imageSize: 64, classes: 3 })
  const found = taken([...tensors, { name: 'extra', shape: [1], values: Float32Array.of(1) }], other)
  assert.deepEqual(found.sentences.slice(1), [
    'Not taken from it: _fc.weight [7, 1280], which is [3, 1280] here, _fc.bias [7], which is [3] here, extra.',
    'Missing, and drawn by --seed instead: dense_1/kernel, dense_1/bias.',
  ])
  const head = layoutOf(other).parameters.find(({ name }) => name === 'dense_1/kernel')!
  assert.ok(bytesOf(found.vector.subarray(0, head.offset)).equals(bytesOf(vector.subarray(0, head.offset))))
  assert.ok(viewOf(found.vector, head).every((value) => value === 0), 'what is missing stays as it was drawn')
})

test('a file of which nothing fits is refused, with what it has and what was looked for', () => {
  const tensors = [{ name: 'conv1.weight', shape: [8, 3, 7, 7], values: new Float32Array(8 * 3 * 49) }]
  assert.throws(() => taken(tensors, mixed), (error) => error instanceof UsageError && /^--init w\.safetensors: none of its 1 tensors \(conv1\.weight\) fits a parameter of network mixed by name and shape, such as parameters\/conv2d_1\/kernel \[3, 3, 3, 3\] or .*0\.weight \[3, 3, 3, 3\]\. Is --model the network that it is of\?$/.test(error.message))
})

async function file(t: TestContext, bytes: Uint8Array): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'herd-weights-'))
  t.after(() => rm(folder, { recursive: true }))
  await writeFile(path.join(folder, 'w.safetensors'), bytes)
  return path.join(folder, 'w.safetensors')
}

test('a safetensors file is read whatever its floats are; integers are passed over, and values that are no numbers refused', async (t) => {
  const header = Buffer.from(JSON.stringify({ a: { dtype: 'BF16', shape: [2], data_offsets: [0, 4] }, n: { dtype: 'I64', shape: [], data_offsets: [4, 12] }, b: { dtype: 'F16', shape: [1, 1], data_offsets: [12, 14] } }))
  const length = Buffer.alloc(8)
  length.writeUInt32LE(header.length)
  const read = await readWeightsFile(await file(t, Buffer.concat([length, header, Buffer.from('803f00c0', 'hex'), Buffer.alloc(8), Buffer.from('0038', 'hex')])))
  assert.deepEqual(read.tensors.map(({ name, values }) => [name, ...values]), [['a', 1, -2], ['b', 0.5]])
  assert.match(read.sha256, /^[0-9a-f]{64}$/)

  const infinite = await file(t, Buffer.concat(encodeSafetensors([{ name: 'x', shape: [1], values: Float32Array.of(Infinity) }], {})))
  await assert.rejects(readWeightsFile(infinite), (error) => error instanceof CheckpointError && /: tensor x has a value that is not a finite number/.test(error.message))
  await assert.rejects(readWeightsFile(await file(t, Buffer.from('no weights at all'))), /damaged or not a safetensors file: .*Use another file\.$/)
})
