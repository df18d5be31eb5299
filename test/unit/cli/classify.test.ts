import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { classify, READ_AHEAD } from '../../../cli/classify.ts'
import type { Asked } from '../../../cli/images.ts'
import { openCheckpoint, openModel, type TrainedModel } from '../../../cli/inference.ts'
import { createLog } from '../../../shared/kit/log.ts'
import { makeCheckpoint, makeImage } from '../../cli/fixture.ts'
import { createWorkspace, type Workspace } from '../../support/workspace.ts'

let workspace: Workspace
let checkpoint: string
let images: string[]

before(async () => {
  workspace = await createWorkspace()
  checkpoint = await makeCheckpoint(workspace.path('random.ckpt'))
  images = await Promise.all(['red', 'blue', 'lime', 'white'].map((colour) => makeImage(workspace.path(`${colour}.png`), colour)))
  await writeFile(workspace.path('broken.png'), 'no image')
})
after(() => workspace.remove())

async function openedModel(): Promise<TrainedModel> {
  const log = createLog({ quiet: true, verbose: false, logFormat: 'pretty' })
  return openModel(await openCheckpoint(checkpoint), { engine: 'wasm', precision: undefined, numerics: undefined, threads: undefined, gpu: undefined }, log)
}

test('images are read ahead, a bounded number of them; each has its own answer, in order', async () => {
  const COUNT = 700
  const pathOf = (index: number): string => (index % 50 === 7 ? workspace.path('broken.png') : images[index % images.length])
  let taken = 0
  let given = 0
  let farthest = 0
  const asked = function* (): Generator<Asked> {
    while (taken < COUNT) {
      farthest = Math.max(farthest, taken - given)
      yield { path: pathOf(taken++) }
    }
  }
  const answers = new Map<string, Set<string>>()
  for await (const outcome of classify(await openedModel(), asked(), 0)) {
    assert.equal(outcome.path, pathOf(given++))
    const answer = outcome.problem ?? Array.from(outcome.probabilities, (probability) => probability.toFixed(5)).join(' ')
    answers.set(outcome.path, (answers.get(outcome.path) ?? new Set()).add(answer))
  }
  assert.equal(given, COUNT)
  assert.deepEqual([...answers.values()].map(({ size }) => size), [1, 1, 1, 1, 1], 'an image has one answer')
  assert.equal(new Set([...answers.values()].map(([answer]) => answer)).size, 5, 'and other images have others')
  assert.ok(farthest >= 32, `${farthest} images were read ahead`)
  assert.ok(farthest <= READ_AHEAD + 3 * 32 + 8, `${farthest} images were in memory`)
})

test('who looks at no further answer ends it all', async () => {
  let taken = 0
  const endless = function* (): Generator<Asked> {
    for (;;) {
      taken++
      yield { path: images[0] }
    }
  }
  for await (const { problem } of classify(await openedModel(), endless(), 0)) {
    assert.equal(problem, undefined)
    break
  }
  const then = taken
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(taken, then)
})
