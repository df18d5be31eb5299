import assert from 'node:assert/strict'
import { test } from 'node:test'
import { prepare } from '../../../deploy/web/prepare.js'
import { evaluationPixels } from '../../../shared/evaluation/probabilities.ts'
import { resizeTarget } from '../../../shared/data/transforms/resize.ts'
import { defaultEvaluation } from '../../../shared/data/transforms/transforms.ts'
import { KeyedRandom, Purpose } from '../../../shared/random/philox.ts'

test("the example page prepares photographs as training's evaluation does, bit for bit", () => {
  const random = new KeyedRandom(5, Purpose.draw)
  // Reduced and enlarged, upright and across, with margins of whole and of half pixels to both sides of the even number.
  for (const [width, height, side] of [[97, 61, 32], [40, 83, 32], [30, 20, 32], [38, 38, 32], [500, 37, 21], [39, 41, 32], [23, 64, 15]]) {
    const rgb = Uint8Array.from({ length: width * height * 3 }, () => random.below(256))
    const rgba = Uint8ClampedArray.from({ length: width * height * 4 }, (_, index) => (index % 4 === 3 ? 255 : rgb[Math.floor(index / 4) * 3 + (index % 4)]))
    const preprocessing = { resize: { shortSide: resizeTarget(300 / 256, side) }, centreCrop: side }
    assert.deepEqual(prepare({ data: rgba, width, height }, preprocessing), evaluationPixels([{ data: rgb, width, height }], side, defaultEvaluation), `${width} x ${height} to ${side}`)
  }
})
