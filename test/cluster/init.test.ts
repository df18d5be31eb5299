import assert from 'node:assert/strict'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { loadCheckpoint } from '../../shared/checkpoint/checkpoint.ts'
import { encodeSafetensors } from '../../shared/checkpoint/safetensors.ts'
import { sha256Of } from '../../shared/kit/sha256.ts'
import { initialParameters } from '../../shared/model/initial.ts'
import { layoutOf, viewOf } from '../../shared/model/layout.ts'
import { buildNetwork } from '../../shared/model/models.ts'
import { herdIn } from '../cli/fixture.ts'
import { run, type Ended } from '../support/processes.ts'
import { createWorkspace, drawAnimals, type Workspace } from '../support/workspace.ts'

let workspace: Workspace
let data: string

function train(out: string, ...options: string[]): Promise<Ended> {
  return run('coordinator', ['--data', data, '--out', workspace.path(out), '--model', 'tiny', '--image-size', '32', '--engine', 'wasm', '--batch', '16', '--test-fraction', '0.5', '--pictures', 'off', ...options], workspace.environment)
}

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 5)
})
after(() => workspace.remove())

test('a run begins with the weights of a file, is verified with it, and resumed without it', async () => {
  const herd = herdIn(workspace)
  const layout = layoutOf(buildNetwork('tiny', { imageSize: 32, classes: (await readdir(data)).length }))
  const vector = initialParameters(layout, 5, 'he')
  const weights = workspace.path('base.safetensors')
  await writeFile(weights, encodeSafetensors(layout.parameters.map((parameter) => ({ name: parameter.name, shape: parameter.shape, values: viewOf(vector, parameter) })), {}))
  const init = { file: 'base.safetensors', sha256: sha256Of(await readFile(weights)) }

  const first = await train('first', '--epochs', '1', '--single-node', '--init', weights)
  assert.equal(first.code, 0, first.stderr)
  assert.match(first.stdout + first.stderr, /base\.safetensors: 6 of 6 parameters, .* are taken from it, by Herd's own names\./)
  const checkpoint = await loadCheckpoint(workspace.path('first', 'checkpoints', 'latest.ckpt'))
  assert.deepEqual((checkpoint.config['recipe'] as Record<string, unknown>)['init'], init)

  const verified = await herd(['verify', workspace.path('first'), '--init', weights])
  assert.match(verified.stdout, / is equal: \d+ steps? of \d+ were replayed/, verified.stderr)
  const without = await herd(['verify', workspace.path('first')])
  assert.match(without.stderr, /began with weights of base\.safetensors, which are not known here.*Give the file by --init/)
  assert.equal(without.code, 0, without.stderr)

  await rm(weights)
  const resumed = await train('first', '--epochs', '2', '--local-workers', '1', '--init', weights, '--resume', 'latest', '--listen', '127.0.0.1:0')
  assert.equal(resumed.code, 0, resumed.stderr)
  const before = checkpoint.parameters
  const { parameters } = await loadCheckpoint(workspace.path('first', 'checkpoints', 'latest.ckpt'))
  assert.ok(parameters.length === before.length && parameters.some((value, index) => value !== before[index]), 'it went on')
})

test('a file that cannot be begun with is refused before anything is made', async () => {
  const missing = await train('none', '--epochs', '1', '--single-node', '--init', path.join('no', 'such.safetensors'))
  assert.equal(missing.code, 2)
  assert.match(missing.stderr, /--init no\/such\.safetensors: expected one of pytorch, he, or a safetensors file: no\/such\.safetensors does not exist/)
})
