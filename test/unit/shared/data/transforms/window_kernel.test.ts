import assert from 'node:assert/strict'
import test from 'node:test'
import type { DecodedImage } from '../../../../../shared/data/transforms/decode.ts'
import { plainWindow } from '../../../../../shared/data/transforms/plain_window.ts'
import { transform, type Augmentation } from '../../../../../shared/data/transforms/transforms.ts'
import { kernelTransform } from '../../../../../shared/data/transforms/window_kernel.ts'
import { KeyedRandom, Purpose } from '../../../../../shared/random/philox.ts'

/** One for all tests, as in a process: its memory has grown, and holds what images before have left. */
const kernel = kernelTransform() ?? assert.fail('this machine has no kernel')
const random = new KeyedRandom(3, Purpose.draw)
const randomImage = (width: number, height: number): DecodedImage => ({ data: Uint8Array.from({ length: width * height * 3 }, () => random.below(256)), width, height })

function assertSame(image: DecodedImage, imageSize: number, augmentation: Augmentation | undefined): void {
  const bytes = imageSize * imageSize * 3
  // What is around the image in a batch must stay as it is.
  const [actual, expected] = [new Uint8Array(bytes + 40).fill(77), new Uint8Array(bytes + 40).fill(77)]
  transform(image, imageSize, augmentation, actual, 20, kernel)
  transform(image, imageSize, augmentation, expected, 20, plainWindow)
  assert.ok(Buffer.from(actual).equals(expected), `${image.width} x ${image.height} to ${imageSize}, ${JSON.stringify(augmentation)}`)
}

test('the kernel gives the plain pixels to the bit, for random sizes, flips and angles', () => {
  for (let i = 0; i < 400; i++) {
    const image = randomImage(1 + random.below(i % 10 === 0 ? 900 : 130), 1 + random.below(130))
    const augmentation = i % 4 === 0 ? undefined : { flip: random.uniform() < 0.5, degrees: random.between(-45, 45) }
    assertSame(image, 1 + random.below(100), augmentation)
  }
})

test('enlarging (two taps), the same size, and reducing (many taps, odd and even) alike', () => {
  for (const [width, height, imageSize] of [[64, 48, 96], [75, 75, 64], [300, 225, 32], [640, 480, 31], [33, 900, 16], [900, 33, 16], [2, 2, 64], [1, 1, 5], [1, 40, 17]]) {
    const image = randomImage(width, height)
    assertSame(image, imageSize, undefined)
    for (const degrees of [-40, -7.3, 0, 12, 40]) for (const flip of [false, true]) assertSame(image, imageSize, { flip, degrees })
  }
})

test('white stays white and black black: no rounding reaches beyond 0 and 255', () => {
  for (const value of [0, 255]) {
    for (const [width, height] of [[37, 29], [301, 207]]) {
      const out = new Uint8Array(64 * 64 * 3).fill(99)
      transform({ data: new Uint8Array(width * height * 3).fill(value), width, height }, 64, undefined, out, 0, kernel)
      assert.ok(out.every((byte) => byte === value))
    }
  }
})
