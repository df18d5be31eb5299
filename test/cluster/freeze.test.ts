import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { loadCheckpoint, parameterDigest, saveCheckpoint } from '../../shared/checkpoint/checkpoint.ts'
import { readWeightsFile } from '../../shared/checkpoint/weights_file.ts'
import { initialParameters } from '../../shared/model/initial.ts'
import { layoutOf, viewOf } from '../../shared/model/layout.ts'
import { CHUNK_FLOATS } from '../../shared/vectors/chunks.ts'
import { herdIn } from '../cli/fixture.ts'
import { run, type Ended } from '../support/processes.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

/** Tests with real processes of a run that keeps a part of its network: the same weights whoever computes, and what is kept has its first values. */
let workspace: Workspace
let data: string
let model: string
const FREEZE = 'conv2d_1,batchNorm_1,dense_1/bias'

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 5)
  model = workspace.path('model.json')
  // What is left to train is more than a chunk, so that two reducers can share it.
  const layers = [
    { type: 'conv2d', filters: 8, kernel: 3, stride: 2, bias: false }, { type: 'batchNorm' }, { type: 'relu' }, { type: 'conv2d', filters: 8, kernel: 3, stride: 2 }, { type: 'batchNorm' }, { type: 'relu' },
    { type: 'flatten' }, { type: 'dense', units: Math.round((1.5 * CHUNK_FLOATS) / 392) }, { type: 'relu' }, { type: 'dense', units: 'classes' },
  ]
  await writeFile(model, JSON.stringify({ name: 'kept', layers }))
})
after(() => workspace.remove())

function train(name: string, ...options: string[]): Promise<Ended> {
  return run('coordinator', [
    '--data', data, '--out', workspace.path(name), '--listen', '127.0.0.1:0', '--model', model, '--image-size', '32', '--batch', '6', '--lanes', '3', '--test-fraction', '0.5', '--engine', 'wasm', '--seed', '3',
    '--lr', '0.01', '--pictures', 'off', ...options,
  ], workspace.environment)
}

/** Runs a training. @returns digests of its weights and moments */
async function cameTo(name: string, ...options: string[]): Promise<string[]> {
  const { code, stderr } = await train(name, '--freeze', FREEZE, '--lr-of', 'head=0.05', ...options)
  assert.equal(code, 0, stderr)
  const { moments, parameters } = await loadCheckpoint(latestOf(name))
  const { digest } = await summaryOf(workspace.path(name))
  assert.equal(parameterDigest(parameters), digest)
  return [digest, ...moments.map(parameterDigest)]
}

const latestOf = (name: string): string => workspace.path(name, 'checkpoints', 'latest.ckpt')

test('a run with frozen parameters comes to the same weights whoever computes, sums and steps, and when it is resumed', async () => {
  const three = await cameTo('three', '--epochs', '2', '--local-workers', '3', '--shared-memory', 'off')
  assert.deepEqual(await cameTo('reducers', '--epochs', '2', '--local-workers', '1', '--reducers', '2'), three)
  assert.notDeepEqual(await cameTo('resumed', '--epochs', '1', '--single-node'), three)
  assert.deepEqual(await cameTo('resumed', '--epochs', '2', '--local-workers', '2', '--resume', 'latest'), three)

  const { network, parameters, frozen, moments } = await loadCheckpoint(latestOf('three'))
  const first = initialParameters(layoutOf(network), 3, 'pytorch')
  assert.deepEqual(frozen, ['conv2d_1/kernel', 'batchNorm_1/gamma', 'batchNorm_1/beta', 'batchNorm_1/runningMean', 'batchNorm_1/runningVariance', 'dense_1/bias'])
  for (const parameter of layoutOf(network).parameters) {
    const isKept = viewOf(parameters, parameter).every((value, index) => value === viewOf(first, parameter)[index])
    assert.equal(isKept, frozen.includes(parameter.name), parameter.name)
  }
  assert.equal(moments[0].length, layoutOf({ ...network, frozen: [...frozen] }).size, 'what is frozen has no moments')
})

test('such a run is replayed by a single node, compared and exported; a frozen value that was changed is found', async () => {
  const herd = herdIn(workspace)
  const verified = await herd(['verify', workspace.path('three')])
  assert.match(verified.stdout, / is equal: \d+ steps? of \d+ were replayed/, verified.stderr)
  const same = await herd(['diff', workspace.path('resumed'), workspace.path('three')])
  assert.equal(same.code, 0, same.stdout + same.stderr)
  const exported = await herd(['export', '--checkpoint', latestOf('three'), '--format', 'safetensors', '--out', workspace.path('exported.safetensors')])
  assert.equal(exported.code, 0, exported.stderr)
  const { parameters } = await loadCheckpoint(latestOf('three'))
  assert.equal((await readWeightsFile(workspace.path('exported.safetensors'))).tensors.reduce((sum, { values }) => sum + values.length, 0), parameters.length)

  const last = await loadCheckpoint(latestOf('resumed'))
  last.parameters[0] += 1
  await saveCheckpoint(latestOf('resumed'), last)
  const forged = await herd(['verify', workspace.path('resumed')])
  assert.match(forged.stdout, /is not what it claims to be: .*parameter conv2d_1\/kernel, element 0/)
})

test('another --freeze than the run began with is refused, and so is one that names nothing', async () => {
  const other = await train('three', '--freeze', 'head', '--resume', 'latest', '--epochs', '3', '--single-node')
  assert.equal(other.code, 2)
  assert.match(other.stderr, /--freeze \["head"\]: the run of .* began with \["conv2d_1","batchNorm_1","dense_1\/bias"\]; leave the option out/)
  const none = await train('none', '--freeze', 'conv2d_7', '--single-node')
  assert.equal(none.code, 2)
  assert.match(none.stderr, /--freeze conv2d_7: no parameter of network kept is named conv2d_7: expected head, backbone, or a name, in which \* stands for any letters, e\.g\. conv2d_1, /)
  await assert.rejects(readFile(path.join(workspace.path('none'), 'config.json')), /ENOENT/)
})
