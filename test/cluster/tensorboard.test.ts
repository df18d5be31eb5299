import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { run } from '../support/processes.ts'
import { readByTensorBoard, withoutTensorBoard } from '../support/tensorboard.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

let workspace: Workspace
before(async () => {
  workspace = await createWorkspace({ pictures: true })
})
after(() => workspace.remove())

test('TensorBoard reads the folder of a run that was resumed, each step and epoch once', { skip: withoutTensorBoard }, async () => {
  const out = workspace.path('run')
  const common = ['--data', await drawAnimals(workspace.path('drawn'), 10), '--out', out, '--single-node', '--quiet']
  const training = ['--model', 'tiny', '--image-size', '32', '--batch', '16', '--test-fraction', '0.5', '--engine', 'wasm', '--seed', '5']
  for (const options of [[...training, '--epochs', '2'], ['--resume', 'latest', '--epochs', '3']]) {
    const { code, stderr } = await run('coordinator', [...common, ...options], workspace.environment)
    assert.equal(code, 0, stderr)
  }
  const { steps, testLoss, trainLoss } = await summaryOf(out)
  const { scalars, images } = await readByTensorBoard(out)
  assert.deepEqual(scalars['train/loss'].map(([step]) => step), Array.from({ length: steps }, (_, index) => index + 1))
  const epochs = [1, 2, 3].map((epoch) => (epoch * steps) / 3)
  for (const tag of ['epoch/train_loss', 'epoch/test_loss', 'epoch/train_accuracy', 'epoch/test_accuracy', 'learning_rate', 'class/cane']) {
    assert.deepEqual(scalars[tag].map(([step]) => step), epochs, tag)
  }
  assert.deepEqual([scalars['epoch/train_loss'], scalars['epoch/test_loss']].map((points) => points[2][1]), [trainLoss, testLoss].map(Math.fround))
  // The first and the last epoch of each process have a picture.
  assert.deepEqual(images['test/predictions'].map(([step]) => step), epochs)
})
