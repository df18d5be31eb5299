import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { evaluationSchema } from '../../shared/run_folder/schemas.ts'
import { run } from '../support/processes.ts'
import { picture } from '../unit/shared/data/images.ts'
import { createWorkspace, summaryOf, type Workspace } from '../support/workspace.ts'

/** A whole run with a thousand classes, of three images each to train on and one to test on. */
const CLASSES = 1000
let workspace: Workspace

before(async () => {
  workspace = await createWorkspace({ pictures: true })
  const files = await Promise.all([0, 1, 2, 3].map((seed) => picture(seed, 12, 12).jpeg().toBuffer()))
  for (let number = 0; number < CLASSES; number++) {
    for (const [index, file] of files.entries()) {
      const folder = workspace.path('data', index === 3 ? 'test' : 'train', `class-${String(number).padStart(4, '0')}`)
      await mkdir(folder, { recursive: true })
      await writeFile(path.join(folder, `${index}.jpg`), file)
    }
  }
})
after(() => workspace.remove())

test('a thousand classes are trained, tested, drawn and summed up', async () => {
  const out = workspace.path('run')
  const { code, stderr } = await run('coordinator', ['--data', workspace.path('data'), '--out', out, '--single-node', '--model', 'tiny', '--image-size', '8', '--batch', '128', '--epochs', '1', '--engine', 'wasm', '--metrics-port', '0'], workspace.environment)
  assert.equal(code, 0, stderr)
  assert.match(stderr, /3996 images are in two classes, with the same bytes: test\/class-0000\/3\.jpg and test\/class-0001\/3\.jpg, for example\./)
  const { perClass, testAccuracy } = await summaryOf(out)
  assert.equal(Object.keys(perClass).length, CLASSES)
  assert.equal(Object.values(perClass).reduce((sum, { correct }) => sum + correct, 0) / CLASSES, testAccuracy)
  const { confusion, cells = [] } = evaluationSchema.parse(JSON.parse(await readFile(path.join(out, 'evaluation.json'), 'utf8')))
  assert.deepEqual([confusion.length, cells.reduce((sum, [, , images]) => sum + images, 0)], [0, CLASSES])
  assert.match(await readFile(path.join(out, 'plots', 'confusion.svg'), 'utf8'), /Confusion matrix of the 40 most confused of 1000 classes/)
})
