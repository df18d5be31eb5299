import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { type DecodedImage } from '../../../../../shared/data/transforms/decode.ts'
import { plainWindow } from '../../../../../shared/data/transforms/plain_window.ts'
import { applyTransforms, augment as augmentBy, drawTransforms, prepareForEvaluation, type AugmentationKey } from '../../../../../shared/data/transforms/apply.ts'
import { cropStart } from '../../../../../shared/data/transforms/centre_crop.ts'
import { resizedSize, resizeTarget } from '../../../../../shared/data/transforms/resize.ts'
import { decodeTarget, defaultAugmentation, defaultEvaluation, defaultTransforms } from '../../../../../shared/data/transforms/transforms.ts'
import { KeyedRandom, Purpose } from '../../../../../shared/random/philox.ts'
import golden from './transforms.golden.json' with { type: 'json' }

/** The picture of benchmark/peers/transforms.py, which wrote the golden values. */
function synthetic(width: number, height: number): DecodedImage {
  const data = new Uint8Array(width * height * 3)
  let i = 0
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        const smooth = (7 * x + 13 * y + 29 * c + x * y * (c + 1)) % 251
        data[i++] = ((x >> 4) + (y >> 4)) & 1 ? 255 - smooth : smooth
      }
    }
  }
  return { data, width, height }
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const keyed = (sample: number, epoch = 0): AugmentationKey => ({ seed: 5, epoch, sample })
const augment = (image: DecodedImage, imageSize: number, key: AugmentationKey, out: Uint8Array): void => augmentBy(image, imageSize, defaultAugmentation, key, out, 0)
const centre = (image: DecodedImage, imageSize: number, out: Uint8Array, offset: number): void => prepareForEvaluation(image, imageSize, defaultEvaluation, out, offset)

describe('transforms', () => {
  it('equal torchvision on PIL images to the bit, for every size, angle and flip', () => {
    assert.equal(golden.length, 70)
    const evaluated = drawTransforms(defaultEvaluation, undefined)
    for (const { width, height, imageSize, flip, degrees, sha256: expected } of golden) {
      const image = synthetic(width, height)
      for (const compute of [undefined, plainWindow]) {
        const out = new Uint8Array(imageSize * imageSize * 3)
        applyTransforms(image, imageSize, degrees === null ? evaluated : [{ name: 'flip', drawn: flip }, { name: 'rotate', drawn: degrees }, ...evaluated], out, 0, compute)
        assert.equal(sha256(out), expected, `${width} x ${height} to ${imageSize}, flip ${flip}, ${degrees} degrees${compute === undefined ? '' : ', in plain TypeScript'}`)
      }
    }
  })

  it('write only their own part of the output', () => {
    const imageSize = 32
    const bytes = imageSize * imageSize * 3
    const image = synthetic(50, 40)
    const alone = new Uint8Array(bytes)
    centre(image, imageSize, alone, 0)
    const batch = new Uint8Array(bytes * 3).fill(99)
    centre(image, imageSize, batch, bytes)
    assert.ok(batch.subarray(0, bytes).every((value) => value === 99))
    assert.deepEqual(batch.subarray(bytes, 2 * bytes), alone)
    assert.ok(batch.subarray(2 * bytes).every((value) => value === 99))
  })

  it('do not depend on the images before', () => {
    const image = synthetic(80, 60)
    const fresh = new Uint8Array(48 * 48 * 3)
    augment(image, 48, keyed(3), fresh)
    const again = new Uint8Array(48 * 48 * 3)
    augment(synthetic(500, 400), 96, keyed(1), new Uint8Array(96 * 96 * 3))
    augment(image, 48, keyed(3), again)
    assert.deepEqual(again, fresh)
  })

  it('differ by sample and by epoch', () => {
    const image = synthetic(80, 60)
    const digests = [keyed(1), keyed(2), keyed(1, 1)].map((random) => {
      const out = new Uint8Array(48 * 48 * 3)
      augment(image, 48, random, out)
      return sha256(out)
    })
    assert.equal(new Set(digests).size, 3)
  })

  it('leave the image itself as it is', () => {
    const image = synthetic(80, 60)
    const before = sha256(image.data)
    augment(image, 48, keyed(1), new Uint8Array(48 * 48 * 3))
    assert.equal(sha256(image.data), before)
  })
})

describe('the default augmentation', () => {
  /** Flip and angle that are drawn for an image. */
  const drawn = (key: AugmentationKey): [flip: boolean, degrees: number] => {
    const [flip, rotate] = drawTransforms(defaultAugmentation, key)
    assert.ok(typeof flip.drawn === 'boolean' && typeof rotate.drawn === 'number')
    return [flip.drawn, rotate.drawn]
  }

  it('flips 30 % and turns uniformly within 40 degrees', () => {
    const all = Array.from({ length: 4000 }, (_, sample) => drawn(keyed(sample)))
    const flips = all.filter(([flip]) => flip).length / all.length
    assert.ok(Math.abs(flips - 0.3) < 0.03, `${flips} flipped`)
    assert.ok(all.every(([, degrees]) => degrees >= -40 && degrees < 40))
    for (let from = -40; from < 40; from += 20) {
      const share = all.filter(([, degrees]) => degrees >= from && degrees < from + 20).length / all.length
      assert.ok(Math.abs(share - 0.25) < 0.03, `${share} in [${from}, ${from + 20})`)
    }
  })

  it('draws flip and angle as the first two numbers of the stream that seed, epoch and sample key', () => {
    for (let sample = 0; sample < 50; sample++) {
      const random = new KeyedRandom(5, Purpose.augment, 3, sample)
      assert.deepEqual(drawn(keyed(sample, 3)), [random.uniform() < 0.3, random.between(-40, 40)])
    }
  })
})

describe('sizes', () => {
  it('resize to 300 for 256, in proportion for others', () => {
    assert.deepEqual([256, 64, 128, 32, 224].map((imageSize) => resizeTarget(300 / 256, imageSize)), [300, 75, 150, 38, 263])
    assert.equal(decodeTarget(defaultTransforms(), 256), 600)
  })

  it('keep the ratio with the long side cut to an integer', () => {
    assert.deepEqual(resizedSize(300, 225, 300), { width: 400, height: 300 })
    assert.deepEqual(resizedSize(225, 300, 300), { width: 300, height: 400 })
    assert.deepEqual(resizedSize(97, 41, 75), { width: 177, height: 75 })
    assert.deepEqual(resizedSize(10, 10, 75), { width: 75, height: 75 })
  })

  it('round the half pixel of a crop to even, as Python does', () => {
    assert.deepEqual([[10, 10], [11, 10], [12, 10], [13, 10], [15, 10], [17, 10]].map(([size, crop]) => cropStart(size, crop)), [0, 0, 1, 2, 2, 4])
  })
})
