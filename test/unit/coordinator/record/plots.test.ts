import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import sharp from 'sharp'
import { plotsOf } from '../../../../coordinator/record/plots.ts'
import type { Cell } from '../../../../shared/evaluation/confusion.ts'
import { svgOf, type Drawing } from '../../../../shared/pictures/drawing.ts'
import { DrawingThread } from '../../../../shared/pictures/drawing_thread.ts'
import { temporaryFolder } from '../../shared/checkpoint/example.ts'

const history = [1, 2, 3].map((epoch) => ({
  epoch, step: epoch * 10, skippedSteps: 0, trainLoss: 2 / epoch, trainAccuracy: 0.5, testLoss: 2.1 / epoch, testAccuracy: 0.45, learningRate: 1e-4, images: 640, seconds: 8, imagesPerSecond: 80, workers: 2,
}))
/** True if this thread has loaded the library that draws charts. */
const drawsHere = (): boolean => Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes('echarts'))

test('curves and confusion are drawn in another thread, as this one would draw them', async (context) => {
  const plotsFolder = join(await temporaryFolder(context), 'plots')
  const thread = new DrawingThread()
  const drawn: Drawing[] = []
  const draw = (drawing: Drawing): Promise<string> => {
    drawn.push(drawing)
    return thread.draw(drawing)
  }
  const classes = Array.from({ length: 1000 }, (_, index) => `class ${index}`)
  const cells = classes.map((_, index): Cell => [index, (index * 7) % 1000, index + 1])
  const plots = plotsOf({ folder: { plotsFolder, readHistory: () => Promise.resolve(history) }, classes, draw, now: () => 0 })
  await plots.take({ confusion: [], cells })
  assert.deepEqual((await readdir(plotsFolder)).sort(), ['accuracy.png', 'accuracy.svg', 'confusion.png', 'confusion.svg', 'loss.png', 'loss.svg'])
  assert.match(await readFile(join(plotsFolder, 'loss.svg'), 'utf8'), /lowest test loss 0\.700 after epoch 3/)
  assert.equal((await sharp(join(plotsFolder, 'loss.png')).metadata()).width, 1760)
  assert.ok(!drawsHere())

  assert.deepEqual(drawn.map(({ picture }) => picture), ['loss', 'accuracy', 'confusion'])
  for (const drawing of drawn) assert.equal(await readFile(join(plotsFolder, `${drawing.picture}.svg`), 'utf8'), svgOf(drawing))
  assert.ok(drawsHere())
  await thread.close()
})

test('what cannot be drawn is an error where it was asked for, and the next picture gets a new thread', async () => {
  const thread = new DrawingThread()
  const good: Drawing = { picture: 'loss', history }
  const bad = { picture: 'loss', history: [{ epoch: 1, trainLoss: 'much', testLoss: null }] } as unknown as Drawing
  const [refused, drawn] = await Promise.allSettled([thread.draw(bad), thread.draw(good)])
  assert.ok(refused.status === 'rejected' && refused.reason instanceof Error, JSON.stringify(refused))
  assert.ok(drawn.status === 'fulfilled' && drawn.value.startsWith('<svg'))
  await thread.close()
  assert.match(await thread.draw(good), /^<svg/)
  await thread.close()
})
