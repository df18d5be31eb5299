import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import { BF16_MARGIN } from '../../shared/compute/precision.ts'
import { run, type Ended } from '../support/processes.ts'
import { createWorkspace, drawAnimals, summaryOf, withoutNative, type Workspace } from '../support/workspace.ts'
import { recipeSchema } from '../../shared/recipe/recipe.ts'
import type { Recipe } from '../../shared/recipe/table.ts'

/** Tests of `--precision auto` with the real program: its choice, its messages, and a run that is the same as with that precision by name. */
const configSchema = z.object({ recipe: recipeSchema, precisionMeasured: z.object({ ratio: z.number().nullable(), reason: z.string() }).optional() })
const training = ['--model', 'tiny', '--image-size', '32', '--batch', '16', '--lanes', '4', '--test-fraction', '0.5', '--seed', '3']
let workspace: Workspace
let data: string

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 6)
})
after(() => workspace.remove())

function train(out: string, ...options: string[]): Promise<Ended> {
  return run('coordinator', ['--data', data, '--out', out, ...training, ...options], workspace.environment)
}

async function configOf(out: string): Promise<Omit<z.infer<typeof configSchema>, 'recipe'> & Pick<Recipe, 'precision'>> {
  const { recipe: { precision }, ...rest } = configSchema.parse(JSON.parse(await readFile(path.join(out, 'config.json'), 'utf8')))
  return { precision, ...rest }
}

test('auto measures, tells what it chose and why, and trains as that precision does', { skip: withoutNative }, async () => {
  const out = workspace.path('auto')
  const ended = await train(out, '--precision', 'auto', '--epochs', '1', '--local-workers', '2', '--listen', '127.0.0.1:0')
  assert.equal(ended.code, 0, ended.stderr)
  const { precision, precisionMeasured } = await configOf(out)
  const ratio = precisionMeasured?.ratio ?? Number.NaN
  assert.equal(precision, ratio >= BF16_MARGIN ? 'bf16' : 'f32')
  assert.ok(ended.stderr.includes(`--precision auto is ${precision}: measured on this machine, bf16 has ${ratio.toFixed(2)} times the speed of f32`), ended.stderr)
  assert.doesNotMatch(ended.stderr, /Workers of another kind/)

  const alone = workspace.path('alone')
  assert.equal((await train(alone, '--precision', precision, '--epochs', '1', '--single-node')).code, 0)
  assert.equal((await configOf(alone)).precisionMeasured, undefined)
  const [summary, expected] = [await summaryOf(out), await summaryOf(alone)]
  assert.deepEqual([summary.digest, summary.precision], [expected.digest, precision])
})

test('in wasm, auto is f32; a resumed run keeps its precision, and nothing is measured', async () => {
  const out = workspace.path('wasm')
  const begun = await train(out, '--engine', 'wasm', '--precision', 'auto', '--epochs', '1', '--single-node')
  assert.equal(begun.code, 0, begun.stderr)
  assert.match(begun.stderr, /--precision auto is f32: wasm computes in float32 only\./)
  assert.deepEqual(await configOf(out), { precision: 'f32', precisionMeasured: { ratio: null, reason: 'wasm computes in float32 only' } })

  const resumed = await train(out, '--precision', 'auto', '--epochs', '2', '--single-node', '--resume', 'latest')
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.doesNotMatch(resumed.stderr, /--precision auto is/)
  assert.equal((await summaryOf(out)).precision, 'f32')
})
