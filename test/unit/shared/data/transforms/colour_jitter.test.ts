import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import test from 'node:test'
import { augment, drawTransforms } from '../../../../../shared/data/transforms/apply.ts'
import { changeBrightness, changeContrast, changeSaturation } from '../../../../../shared/data/transforms/colour_jitter.ts'
import { augmentationSchema, defaultAugmentation, type TransformList } from '../../../../../shared/data/transforms/transforms.ts'
import { KeyedRandom, Purpose } from '../../../../../shared/random/philox.ts'
import golden from './colour_jitter.golden.json' with { type: 'json' }

const changes: Readonly<Record<string, (pixels: Uint8Array, factor: number) => void>> = { brightness: changeBrightness, contrast: changeContrast, saturation: changeSaturation }
const size = 24
const random = new KeyedRandom(8, Purpose.draw)
const photograph = { data: Uint8Array.from({ length: 40 * 30 * 3 }, () => random.below(256)), width: 40, height: 30 }
const key = { seed: 1, epoch: 2, sample: 3 }
const withJitter = (parameters: object): TransformList => augmentationSchema.parse([...defaultAugmentation.slice(0, -1), { name: 'colourJitter', ...parameters }, ...defaultAugmentation.slice(-1)])

function pixelsOf(list: TransformList, of = key): Uint8Array {
  const out = new Uint8Array(size * size * 3)
  augment(photograph, size, list, of, out, 0)
  return out
}

/** The picture of benchmark/peers/colour_jitter.py, which wrote the golden values. */
function synthetic(side: number, darkest: number, brightest: number): Uint8Array {
  return Uint8Array.from({ length: side * side * 3 }, (_, i) => {
    const [x, y, c] = [Math.floor(i / 3) % side, Math.floor(i / 3 / side), i % 3]
    return darkest + ((31 * x + 17 * y + 71 * c + x * y * (c + 1)) % (brightest - darkest + 1))
  })
}

test('brightness, contrast and saturation equal Pillow to the bit', () => {
  assert.equal(golden.length, 108)
  for (const { size: side, darkest, brightest, change, factor, sha256 } of golden) {
    const pixels = synthetic(side, darkest, brightest)
    changes[change](pixels, Math.fround(factor))
    assert.equal(createHash('sha256').update(pixels).digest('hex'), sha256, `${change} by ${factor}, ${side} px of ${darkest} to ${brightest}`)
  }
})

test('colour jitter changes the pixels of the window that the others of the list made, and nothing of what they draw', () => {
  const list = withJitter({})
  assert.deepEqual(list[4], { name: 'colourJitter', brightness: 0.2, contrast: 0.2, saturation: 0.2 })
  assert.deepEqual(drawTransforms(list, key).filter(({ name }) => name !== 'colourJitter'), drawTransforms(defaultAugmentation, key))
  assert.deepEqual(pixelsOf(withJitter({ brightness: 0, contrast: 0, saturation: 0 })), pixelsOf(defaultAugmentation))
  assert.notDeepEqual(pixelsOf(list), pixelsOf(defaultAugmentation))
  assert.deepEqual(pixelsOf(list), pixelsOf(list))
  assert.notDeepEqual(pixelsOf(list), pixelsOf(list, { ...key, epoch: 3 }))
})

test('factors are drawn from their ranges, and every order comes as often as any other', () => {
  const jitter = withJitter({ brightness: 0.1, contrast: 0.4, saturation: 1 }).slice(4, 5)
  const orders = new Map<string, number>()
  for (let sample = 0; sample < 1200; sample++) {
    const [{ drawn }] = drawTransforms(jitter, { ...key, sample })
    const all = drawn as { change: unknown; factor: number }[]
    const order = all.map(({ change, factor }) => {
      const name = Object.keys(changes).find((one) => changes[one] === change) ?? assert.fail()
      const most = { brightness: 0.1, contrast: 0.4, saturation: 1 }[name] ?? assert.fail()
      assert.ok(factor >= 1 - most && factor < 1 + most, `${name} by ${factor}`)
      return name
    })
    orders.set(order.join(), (orders.get(order.join()) ?? 0) + 1)
  }
  assert.equal(orders.size, 6)
  for (const [order, count] of orders) assert.ok(Math.abs(count - 200) < 60, `${order} ${count} times`)
})

test('with brightness alone each value is multiplied by the factor, and cut to a byte', () => {
  const list = withJitter({ brightness: 1, contrast: 0, saturation: 0 })
  const [drawn] = drawTransforms(list, key).filter(({ name }) => name === 'colourJitter')
  const { factor } = (drawn.drawn as { change: unknown; factor: number }[]).find(({ change }) => change === changeBrightness) ?? assert.fail()
  const plain = pixelsOf(defaultAugmentation)
  assert.deepEqual(pixelsOf(list), plain.map((value) => Math.min(255, Math.trunc(Math.fround(Math.fround(factor) * value)))))
})
