import assert from 'node:assert/strict'
import test from 'node:test'
import type { DecodedImage } from '../../../../../shared/data/transforms/decode.ts'
import { Rotation } from '../../../../../shared/data/transforms/rotation.ts'
import { plainWindow } from '../../../../../shared/data/transforms/plain_window.ts'
import { applyTransforms, drawTransforms } from '../../../../../shared/data/transforms/apply.ts'
import { computeWindow, untouched, type Geometry } from '../../../../../shared/data/transforms/geometry.ts'
import { defaultEvaluation } from '../../../../../shared/data/transforms/transforms.ts'
import { kernelTransform } from '../../../../../shared/data/transforms/window_kernel.ts'
import { KeyedRandom, Purpose } from '../../../../../shared/random/philox.ts'

/** One kernel for all tests, as in a process: its memory has grown, and holds leftovers of earlier images. */
const kernel = kernelTransform() ?? assert.fail('this machine has no kernel')
const random = new KeyedRandom(3, Purpose.draw)
const randomImage = (width: number, height: number): DecodedImage => ({ data: Uint8Array.from({ length: width * height * 3 }, () => random.below(256)), width, height })

type Drawn = Parameters<typeof applyTransforms>[2]
const evaluated = drawTransforms(defaultEvaluation, undefined)
/** Drawn transforms with flip and rotation, with one of them, or with neither. */
const augmented = ({ flip, degrees }: { flip?: boolean; degrees?: number }): Drawn => [
  ...(flip === undefined ? [] : [{ name: 'flip' as const, drawn: flip }]),
  ...(degrees === undefined ? [] : [{ name: 'rotate' as const, drawn: degrees }]),
  ...evaluated,
]

function assertSame(image: DecodedImage, imageSize: number, drawn: Drawn): void {
  const bytes = imageSize * imageSize * 3
  // The bytes around the image in a batch must not change.
  const [actual, expected] = [new Uint8Array(bytes + 40).fill(77), new Uint8Array(bytes + 40).fill(77)]
  applyTransforms(image, imageSize, drawn, actual, 20, kernel)
  applyTransforms(image, imageSize, drawn, expected, 20, plainWindow)
  assert.ok(Buffer.from(actual).equals(expected), `${image.width} x ${image.height} to ${imageSize}, ${JSON.stringify(drawn)}`)
}

test('the kernel gives the plain pixels to the bit, for random sizes, flips and angles', () => {
  for (let i = 0; i < 400; i++) {
    const image = randomImage(1 + random.below(i % 10 === 0 ? 900 : 130), 1 + random.below(130))
    const [flip, degrees] = [random.uniform() < 0.5, random.between(-45, 45)]
    assertSame(image, 1 + random.below(100), augmented([{}, { flip }, { degrees }, { flip, degrees }][i % 4]))
  }
})

test('enlarging (two taps), the same size, and reducing (many taps, odd and even) alike', () => {
  for (const [width, height, imageSize] of [[64, 48, 96], [75, 75, 64], [300, 225, 32], [640, 480, 31], [33, 900, 16], [900, 33, 16], [2, 2, 64], [1, 1, 5], [1, 40, 17]]) {
    const image = randomImage(width, height)
    assertSame(image, imageSize, evaluated)
    for (const degrees of [-40, -7.3, 0, 12, 40]) for (const flip of [false, true]) assertSame(image, imageSize, augmented({ flip, degrees }))
  }
})

test('white stays white and black black: no rounding reaches beyond 0 and 255', () => {
  for (const value of [0, 255]) {
    for (const [width, height] of [[37, 29], [301, 207]]) {
      const out = new Uint8Array(64 * 64 * 3).fill(99)
      applyTransforms({ data: new Uint8Array(width * height * 3).fill(value), width, height }, 64, evaluated, out, 0, kernel)
      assert.ok(out.every((byte) => byte === value))
    }
  }
})

test('a region is resized as an image of its own would be, whether the photograph is turned or not', () => {
  for (let i = 0; i < 200; i++) {
    const image = randomImage(5 + random.below(90), 5 + random.below(90))
    const imageSize = 1 + random.below(60)
    const [left, top] = [random.below(image.width), random.below(image.height)]
    const region = { left, top, width: 1 + random.below(image.width - left), height: 1 + random.below(image.height - top) }
    const resized = { width: imageSize + random.below(20), height: imageSize + random.below(20) }
    const window = { resized, left: random.below(resized.width - imageSize + 1), top: random.below(resized.height - imageSize + 1) }
    const turn = i % 2 === 0 ? {} : { flip: random.uniform() < 0.5, degrees: random.between(-45, 45) }

    const expected = pixelsOf(cut(turned(image, turn), region), { ...window }, imageSize, plainWindow)
    for (const compute of [kernel, plainWindow]) {
      assert.deepEqual(pixelsOf(image, { ...window, ...turn, region }, imageSize, compute), expected, `${image.width} x ${image.height}, ${JSON.stringify({ region, ...window, ...turn })}`)
    }
  }
})

function pixelsOf(image: DecodedImage, geometry: Partial<Geometry>, imageSize: number, compute: typeof plainWindow): Uint8Array {
  const out = new Uint8Array(imageSize * imageSize * 3)
  computeWindow(image, { ...untouched(image, imageSize), ...geometry }, out, 0, compute)
  return out
}

function turned(image: DecodedImage, { flip = false, degrees }: { flip?: boolean; degrees?: number }): DecodedImage {
  if (degrees === undefined) return image
  const rotation = new Rotation(image, { flip, degrees })
  const data = new Uint8Array(image.data.length)
  for (let y = 0; y < image.height; y++) rotation.gatherRow(y, 0, image.width, data.subarray(y * image.width * 3))
  return { ...image, data }
}

function cut({ data, width }: DecodedImage, region: Geometry['region']): DecodedImage {
  const rows = Array.from({ length: region.height }, (_, y) => data.subarray(((region.top + y) * width + region.left) * 3, ((region.top + y) * width + region.left + region.width) * 3))
  return { data: Uint8Array.from(Buffer.concat(rows)), width: region.width, height: region.height }
}
