import assert from 'node:assert/strict'
import { readdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { shortOrLong } from '../runner/long_forms.ts'
import { run } from '../support/processes.ts'
import { createWorkspace, drawAnimals, summaryOf, withoutNative, type Workspace } from '../support/workspace.ts'

/**
 * Tests of the project's promise with real processes on loopback: the same run on clusters of every size, for one or two
 * epochs of a data set whose size is no multiple of the batch, gives the same digest of the weights. In short form, the
 * article's network is trained by one cluster in each precision.
 */
let workspace: Workspace

before(async () => {
  workspace = await createWorkspace()
})
after(() => workspace.remove())

const everySize = [1, 2, 3, 4]

/** @returns for each cluster the digest of the weights, and the chain of the digests on the way there */
async function digestsOf(name: string, perClass: number, epochs: number, options: string[], { sizes, classes }: { sizes: readonly number[]; classes: number }): Promise<Map<string, { weights: string; chain: string }>> {
  const clusters = [['--single-node'], ...sizes.map((count) => ['--local-workers', String(count)])]
  const data = await drawAnimals(workspace.path(`${name}-drawn`), perClass)
  for (const folder of (await readdir(data)).slice(classes)) await rm(path.join(data, folder), { recursive: true })
  const digests = new Map<string, { weights: string; chain: string }>()
  for (const how of clusters) {
    const cluster = how.join('-')
    const out = workspace.path(`${name}${cluster}`)
    const ended = await run('coordinator', ['--data', data, '--out', out, '--listen', '127.0.0.1:0', '--epochs', String(epochs), '--seed', '7', '--test-fraction', '0.5', '--audit-every', '2', ...options, ...how], workspace.environment)
    assert.equal(ended.code, 0, ended.stderr)
    const summary = await summaryOf(out)
    assert.equal(summary.workers, how[1] === undefined ? 1 : Number(how[1]))
    assert.equal(summary.images, epochs * trainImages(ended.stdout), 'every image of every epoch is counted once')
    assert.notEqual(trainImages(ended.stdout) % summary.batch, 0, 'the last batch is short')
    const chain = await readFile(path.join(out, 'digests.jsonl'), 'utf8')
    assert.ok(chain.trimEnd().split('\n').length >= 2, 'what the run claims, and at least one step')
    digests.set(cluster, { weights: summary.digest, chain })
  }
  return digests
}

function trainImages(stdout: string): number {
  return Number(/Training on (\d+) images/.exec(stdout)?.[1])
}

const TINY = 'tiny, wasm, float32'
const article = ['--image-size', '156', '--lr', '1e-3', '--engine', 'native']
/** Runs to compare. Native ones have few images, and bfloat16 one epoch: a processor that has to emulate it is ten times slower. */
const runs: [name: string, shape: { sizes: readonly number[]; classes: number }, perClass: number, epochs: number, options: string[], skip: string | false][] = [
  ['article, native, float32', { sizes: shortOrLong([3], everySize), classes: 10 }, 5, shortOrLong(1, 2), [...article, '--batch', '12', '--precision', 'f32'], withoutNative],
  ['article, native, bf16', { sizes: shortOrLong([2], everySize), classes: shortOrLong(3, 10) }, 5, 1, [...article, '--batch', shortOrLong('6', '8'), '--lanes', '6', '--precision', 'bf16'], withoutNative],
  [TINY, { sizes: everySize, classes: 10 }, 10, 2, ['--model', 'tiny', '--image-size', '32', '--batch', '20', '--engine', 'wasm'], false],
]

for (const [name, shape, perClass, epochs, options, skip] of runs) {
  test(`digests are equal for one process and for ${shape.sizes.join(', ')} workers: ${name}`, { skip }, async () => {
    const digests = await digestsOf(name.replaceAll(/\W+/g, '-'), perClass, epochs, options, shape)
    const all = [...digests.values()]
    assert.equal(new Set(all.map(({ weights }) => weights)).size, 1, JSON.stringify(Object.fromEntries(digests), null, 2))
    assert.equal(new Set(all.map(({ chain }) => chain)).size, 1, 'every lane of every audited step has the same digest')
    if (name !== TINY) return
    const [other] = (await digestsOf('another-seed', perClass, epochs, [...options, '--seed', '8'], { sizes: [], classes: shape.classes })).values()
    assert.ok(all.every(({ weights }) => weights !== other.weights), 'another seed gives another digest, so equality above means something')
  })
}

