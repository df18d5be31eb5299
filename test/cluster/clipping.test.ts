import assert from 'node:assert/strict'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { loadCheckpoint, parameterDigest } from '../../shared/checkpoint/checkpoint.ts'
import { run } from '../support/processes.ts'
import { linesOf } from '../support/run_events.ts'
import { WIDE_IMAGES, writeWideNetwork } from '../support/wide_network.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

/**
 * Tests with real processes of an optimizer that is not the default, a schedule, and gradients clipped by the norm of the whole vector: whichever
 * processes compute, sum and step, and also if the run is interrupted and resumed, the weights, the moments and the norms are those of a single process.
 */
let workspace: Workspace
let data: string
let model: string
const CLIP = 0.5

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 5)
  model = await writeWideNetwork(workspace.folder, 2)
})
after(() => workspace.remove())

interface Came {
  weights: string
  moments: string[]
  norms: unknown[]
}

/** Runs a training. @returns its weights, moments and norms */
async function cameTo(name: string, ...options: string[]): Promise<Came> {
  const out = workspace.path(name)
  const { code, stderr } = await run('coordinator', [
    '--data', data, '--out', out, '--listen', '127.0.0.1:0', '--model', model, ...WIDE_IMAGES, '--batch', '6', '--lanes', '3', '--test-fraction', '0.5', '--engine', 'wasm', '--seed', '3', '--lr', '0.05', '--step-events',
    '--optimizer', JSON.stringify({ name: 'sgd', nesterov: true, weightDecay: 0.01 }), '--schedule', JSON.stringify({ name: 'oneCycle', epochs: 2 }), ...options,
  ], workspace.environment)
  assert.equal(code, 0, stderr)
  const { moments } = await loadCheckpoint(path.join(out, 'checkpoints', 'latest.ckpt'))
  const steps = (await linesOf(out, 'events.jsonl')).filter(({ event }) => event === 'step')
  return { weights: (await summaryOf(out)).digest, moments: moments.map(parameterDigest), norms: steps.map(({ gradientNorm }) => gradientNorm) }
}

test('weights, moments and norms of a clipped run do not depend on who computes, sums and steps', async () => {
  const alone = await cameTo('alone', '--clip', String(CLIP), '--epochs', '2', '--single-node')
  assert.equal(alone.moments.length, 1)
  assert.ok(alone.norms.some((norm) => Number(norm) > CLIP), `some of the norms are clipped: ${alone.norms.join(', ')}`)
  assert.deepEqual(await cameTo('workers', '--clip', String(CLIP), '--epochs', '2', '--local-workers', '2'), alone)
  assert.deepEqual(await cameTo('reducers', '--clip', String(CLIP), '--epochs', '2', '--local-workers', '2', '--reducers', '2'), alone)
  assert.notEqual((await cameTo('free', '--epochs', '2', '--single-node')).weights, alone.weights, 'clipping makes a difference')

  const first = await cameTo('resumed', '--clip', String(CLIP), '--epochs', '1', '--local-workers', '2')
  assert.notEqual(first.weights, alone.weights)
  assert.deepEqual(await cameTo('resumed', '--clip', String(CLIP), '--epochs', '2', '--local-workers', '2', '--resume', 'latest'), alone)
})
