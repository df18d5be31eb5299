import assert from 'node:assert/strict'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { Program, run } from '../support/processes.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

/**
 * Tests that the built-in recipes keep the project's promise: the same digest for one process, for clusters of 1, 2 and 3 workers, and where a worker is killed.
 * Network and images are small, so that wasm computes them at once; all else is as the recipe has it.
 */
let workspace: Workspace
let data: string

const CLASSES = 3
const network = {
  name: 'small',
  layers: [
    { type: 'conv2d', filters: 8, kernel: 3, stride: 2, padding: 'same', bias: false }, { type: 'batchNorm' }, { type: 'relu' },
    { type: 'residual', layers: [{ type: 'conv2d', filters: 8, kernel: 3, padding: 'same', bias: false }, { type: 'batchNorm' }], shortcut: [] }, { type: 'relu6' },
    { type: 'globalAveragePool' }, { type: 'dropout', rate: 0.2 }, { type: 'dense', units: 'classes' },
  ],
}

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 8)
  for (const folder of (await readdir(data)).slice(CLASSES)) await rm(path.join(data, folder), { recursive: true })
  await writeFile(workspace.path('small.json'), JSON.stringify(network))
})
after(() => workspace.remove())

/** Numbers of workers that each recipe is trained by, and what of it is not as in the recipe. */
const recipes: [recipe: string, sizes: string[], options: string[]][] = [
  ['modern', ['1', '2'], ['--image-sizes', '[{"from":1,"size":16},{"from":2,"size":32}]']],
  ['finetune', ['2'], ['--init', 'he']],
]

for (const [recipe, sizes, options] of recipes) {
  test(`the recipe ${recipe} has one digest, whoever computes it${recipe === 'modern' ? ' and whoever is killed' : ''}`, async () => {
    const started = (name: string, ...how: string[]): string[] =>
      ['--data', data, '--out', workspace.path(`${recipe}-${name}`), '--recipe', recipe, '--model', workspace.path('small.json'), '--image-size', '32', '--epochs', '3', '--batch', '8', '--lanes', '4', '--test-fraction', '0.5', '--seed', '3', '--engine', 'wasm', '--pictures', 'off', '--listen', '127.0.0.1:0', ...options, ...how]
    const digestOf = async (name: string): Promise<string> => (await summaryOf(workspace.path(`${recipe}-${name}`))).digest
    for (const [name, ...how] of [['alone', '--single-node'], ...sizes.map((size) => [size, '--local-workers', size])]) {
      const ended = await run('coordinator', started(name, ...how), workspace.environment)
      assert.equal(ended.code, 0, ended.stderr)
    }
    const alone = await digestOf('alone')
    for (const size of sizes) assert.equal(await digestOf(size), alone, `${size} workers`)
    if (recipe !== 'modern') return

    const cluster = new Program('coordinator', started('killed', '--local-workers', '3'), workspace.environment)
    await cluster.said(/epoch 1\/3/)
    process.kill(await firstChildOf(cluster), 'SIGKILL')
    const ended = await cluster.ended
    assert.equal(ended.code, 0, ended.stderr)
    assert.match(ended.stderr, /was ended by SIGKILL; it is started again/)
    assert.equal(await digestOf('killed'), alone)
  })
}

/** Process id of a worker that the coordinator started. */
async function firstChildOf({ child: { pid } }: Program): Promise<number> {
  return Number((await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ')[0])
}
