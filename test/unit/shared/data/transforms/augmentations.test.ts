import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { applyTransforms, augment, drawTransforms } from '../../../../../shared/data/transforms/apply.ts'
import type { DecodedImage } from '../../../../../shared/data/transforms/decode.ts'
import { plainWindow } from '../../../../../shared/data/transforms/plain_window.ts'
import { beginOf, drawBox, sidesOf } from '../../../../../shared/data/transforms/random_box.ts'
import { boxIn } from '../../../../../shared/data/transforms/random_erasing.ts'
import { partOf } from '../../../../../shared/data/transforms/random_resized_crop.ts'
import { augmentationSchema, decodeTarget, defaultAugmentation, defaultEvaluation, transforms, type TransformList } from '../../../../../shared/data/transforms/transforms.ts'
import { operations, type Chosen, type OperationName } from '../../../../../shared/data/transforms/trivial_augment.ts'
import { KeyedRandom, Purpose } from '../../../../../shared/random/philox.ts'
import golden from './augmentations.golden.json' with { type: 'json' }

/** The picture of benchmark/peers/augmentations.py, which wrote the golden values. */
function synthetic(width: number, height: number, darkest = 0, brightest = 255): DecodedImage {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y, c] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3]
    return darkest + ((31 * x + 17 * y + 71 * c + x * y * (c + 1)) % (brightest - darkest + 1))
  })
  return { data, width, height }
}

const sha256 = (parts: readonly Uint8Array[]): string => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex')
const keyed = (sample: number, epoch = 1): { seed: number; epoch: number; sample: number } => ({ seed: 5, epoch, sample })
const [normalise] = defaultEvaluation.slice(-1)
const listOf = (...list: readonly object[]): TransformList => augmentationSchema.parse([...list, normalise])

/** What the only random transform of a list has drawn. */
function drawnBy<Drawn>(list: TransformList, name: string, sample: number, epoch = 1): Drawn {
  const found = drawTransforms(list, keyed(sample, epoch)).find((one) => one.name === name) ?? assert.fail(name)
  return found.drawn as Drawn
}

/** Paints the synthetic window of a size with given drawn values. */
function painted(name: keyof typeof transforms, drawn: unknown, size: number, darkest?: number, brightest?: number): Uint8Array {
  const { data } = synthetic(size, size, darkest, brightest)
  const { paint = assert.fail() } = transforms[name]
  paint({ pixels: data, size }, drawn)
  return data
}

describe('trivialAugment', () => {
  it('equals torchvision on PIL images to the bit: each operation with each strength, on each picture', () => {
    assert.deepEqual(golden.operations.map(({ operation }) => operation), Object.keys(operations))
    for (const { operation, signed, magnitudes, pictures } of golden.operations) {
      const signs = signed ? [1, -1] : [1]
      for (const { size, darkest, brightest, sha256: expected } of pictures) {
        const results = signs.flatMap((sign) => magnitudes.map((magnitude) => painted('trivialAugment', { operation, magnitude: sign * magnitude }, size, darkest, brightest)))
        assert.equal(sha256(results), expected, `${operation}, ${size} px of ${darkest} to ${brightest}`)
      }
    }
  })

  it('has the magnitudes of torchvision, but for the last bit of float32, which differs between its processors', () => {
    for (const { operation, signed, magnitudes } of golden.operations) {
      const own = operations[operation as OperationName]
      assert.equal(own.signed, signed)
      magnitudes.forEach((expected, strength) => {
        const actual = own.magnitude(strength)
        assert.ok(Math.abs(actual - expected) <= expected * 2 ** -23, `${operation} ${strength}: ${actual} instead of ${expected}`)
      })
    }
  })

  it('draws each operation, each strength and both signs as often as any other', () => {
    const list = listOf({ name: 'randomResizedCrop' }, { name: 'trivialAugment' })
    const counts = new Map<string, number>()
    const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1)
    const samples = 14 * 400
    for (let sample = 0; sample < samples; sample++) {
      const { operation, magnitude } = drawnBy<Chosen>(list, 'trivialAugment', sample)
      count(operation)
      if (operation === 'Rotate') count(`Rotate by ${Math.sign(magnitude)}`)
      if (operation === 'Solarize') count(`Solarize from ${Math.floor(magnitude / 128)}`)
    }
    for (const name of Object.keys(operations)) assert.ok(Math.abs((counts.get(name) ?? 0) - 400) < 80, `${name} ${counts.get(name)} times`)
    for (const name of ['Rotate by 1', 'Rotate by -1', 'Solarize from 0', 'Solarize from 1']) assert.ok(Math.abs((counts.get(name) ?? 0) - 200) < 60, `${name}: ${counts.get(name)}`)
  })
})

describe('randomResizedCrop', () => {
  it('takes the parts of torchvision, and resizes them as PIL does, flipped or not', () => {
    assert.equal(golden.crops.length, 40)
    for (const { width, height, imageSize, ratio, shapes, x, y, part, sha256: expected } of golden.crops) {
      const box = { x, y, shapes: shapes.map(([share, of]) => ({ share, ratio: of })) }
      const [least, most] = ratio
      assert.deepEqual(partOf(width, height, box, [least, most]), part)
      const photograph = synthetic(width, height)
      const flipped = mirror(photograph)
      for (const compute of [undefined, plainWindow]) {
        const out = new Uint8Array(imageSize * imageSize * 3)
        applyTransforms(photograph, imageSize, [{ name: 'randomResizedCrop', drawn: { box, ratio } }], out, 0, compute)
        assert.equal(sha256([out]), expected, `${width} x ${height} to ${imageSize}`)
        // A mirrored photograph that is flipped back is the photograph.
        applyTransforms(flipped, imageSize, [{ name: 'flip', drawn: true }, { name: 'randomResizedCrop', drawn: { box, ratio } }], out, 0, compute)
        assert.equal(sha256([out]), expected, `${width} x ${height} to ${imageSize}, flipped`)
      }
    }
  })

  it('draws shares and logarithms of ratios uniformly, and places within the room there is', () => {
    const random = new KeyedRandom(1, Purpose.draw)
    const boxes = Array.from({ length: 400 }, () => drawBox({ scale: [0.2, 0.6], ratio: [0.5, 4] }, random))
    const shapes = boxes.flatMap((box) => box.shapes)
    for (const [what, values] of [['share', shapes.map(({ share }) => (share - 0.2) / 0.4)], ['ratio', shapes.map(({ ratio }) => Math.log(ratio / 0.5) / Math.log(8))], ['x', boxes.map(({ x }) => x)], ['y', boxes.map(({ y }) => y)]] as const) {
      const quarters = [0, 1, 2, 3].map((quarter) => values.filter((value) => Math.floor(value * 4) === quarter).length / values.length)
      assert.ok(quarters.every((share) => Math.abs(share - 0.25) < 0.07), `${what}: ${quarters.join()}`)
    }
    assert.deepEqual([beginOf(0, 10, 4), beginOf(1 - 2 ** -32, 10, 4), beginOf(0.999, 10, 10)], [0, 6, 0])
    assert.deepEqual([sidesOf({ share: 0.25, ratio: 1 }, 400), sidesOf({ share: 1, ratio: 4 }, 100), sidesOf({ share: 1, ratio: 1 }, 6.25)], [[10, 10], [20, 5], [2, 2]])
  })

  it('says how large a photograph it needs: twice the window, and its smallest part as large as the window', () => {
    const target = (scale: number[]): number => decodeTarget({ augmentation: listOf({ name: 'randomResizedCrop', scale }), evaluation: [] }, 128)
    assert.deepEqual([target([0.35, 1]), target([0.25, 1]), target([0.08, 1])], [256, 256, 453])
  })
})

describe('flips without a rotation', () => {
  it('are those of a rotation by nothing, whatever the sizes', () => {
    const random = new KeyedRandom(2, Purpose.draw)
    for (let i = 0; i < 60; i++) {
      const image = synthetic(1 + random.below(120), 1 + random.below(120))
      const imageSize = 1 + random.below(70)
      const [quick, slow] = [new Uint8Array(imageSize * imageSize * 3), new Uint8Array(imageSize * imageSize * 3)]
      for (const compute of [undefined, plainWindow]) {
        const evaluated = drawTransforms(defaultEvaluation, undefined)
        applyTransforms(image, imageSize, [{ name: 'flip', drawn: true }, ...evaluated], quick, 0, compute)
        applyTransforms(image, imageSize, [{ name: 'flip', drawn: true }, { name: 'rotate', drawn: 0 }, ...evaluated], slow, 0, plainWindow)
        assert.deepEqual(quick, slow, `${image.width} x ${image.height} to ${imageSize}`)
      }
    }
  })
})

describe('alternatingFlip', () => {
  const list = listOf({ name: 'alternatingFlip' }, { name: 'randomResizedCrop' })
  const flips = (epoch: number): boolean[] => Array.from({ length: 600 }, (_, sample) => drawnBy<boolean>(list, 'alternatingFlip', sample, epoch))

  it('flips half of the images in odd epochs, and the other half in even ones', () => {
    const first = flips(1)
    assert.ok(Math.abs(first.filter(Boolean).length - 300) < 60)
    assert.deepEqual(flips(2), first.map((flipped) => !flipped))
    assert.deepEqual(flips(7), first)
    assert.deepEqual(flips(8), flips(2))
  })

  it('leaves to the other transforms what they draw in each epoch', () => {
    const crop = (epoch: number): unknown => drawnBy(list, 'randomResizedCrop', 3, epoch)
    assert.deepEqual(crop(1), drawnBy(listOf({ name: 'randomResizedCrop' }), 'randomResizedCrop', 3))
    assert.notDeepEqual(crop(1), crop(3))
  })
})

describe('randomErasing', () => {
  it('takes the boxes of torchvision, and none where none fits', () => {
    assert.equal(golden.erasures.length, 21)
    for (const { size, shapes, x, y, box } of golden.erasures) {
      assert.deepEqual(boxIn(size, { x, y, shapes: shapes.map(([share, ratio]) => ({ share, ratio })) }), box ?? { left: 0, top: 0, width: 0, height: 0 })
    }
  })

  it('fills the box with the colour, and nothing else', () => {
    const size = 32
    const box = { x: 0.5, y: 0.25, shapes: [{ share: 0.2, ratio: 2 }] }
    const { left, top, width, height } = boxIn(size, box)
    assert.ok(width > 5 && height > 15)
    const { data } = synthetic(size, size)
    const expected = data.map((value, i) => {
      const [x, y] = [Math.floor(i / 3) % size, Math.floor(i / 3 / size)]
      return x >= left && x < left + width && y >= top && y < top + height ? [1, 2, 3][i % 3] : value
    })
    assert.deepEqual(painted('randomErasing', { box, value: [1, 2, 3] }, size), expected)
    assert.deepEqual(painted('randomErasing', undefined, size), data)
  })

  it('erases as often as it is told, ImageNet\'s mean if it is told nothing else', () => {
    const erasures = (more: object): { value: number[] }[] => {
      const list = listOf({ name: 'randomResizedCrop' }, { name: 'randomErasing', ...more })
      return Array.from({ length: 1000 }, (_, sample) => drawnBy<{ value: number[] } | undefined>(list, 'randomErasing', sample)).filter((drawn) => drawn !== undefined)
    }
    assert.ok(Math.abs(erasures({}).length - 250) < 50)
    assert.deepEqual(erasures({ probability: 0 }), [])
    const all = erasures({ probability: 1, value: [9, 8, 7] })
    assert.deepEqual([all.length, all[0].value, erasures({})[0].value], [1000, [9, 8, 7], [124, 116, 104]])
  })
})

describe('randomCrop', () => {
  it('equals padding and cropping by torchvision, for each place', () => {
    for (const { size, padding, mode, sha256: expected } of golden.shifts) {
      const places = Array.from({ length: 2 * padding + 1 }, (_, i) => i - padding)
      assert.equal(sha256(places.flatMap((top) => places.map((left) => painted('randomCrop', { left, top, isReflected: mode === 'reflect' }, size)))), expected, `${size} px, ${mode} by ${padding}`)
    }
  })

  it('reflects again where the padding is larger than the window', () => {
    const row = (left: number, size: number): number[] => {
      const pixels = Uint8Array.from({ length: size * size * 3 }, (_, i) => Math.floor(i / 3) % size)
      transforms.randomCrop.paint?.({ pixels, size }, { left, top: 0, isReflected: true })
      return [...pixels.subarray(0, size * 3)].filter((_, i) => i % 3 === 0)
    }
    assert.deepEqual([row(-5, 3), row(5, 3), row(-9, 1)], [[1, 0, 1], [1, 2, 1], [0]])
  })

  it('draws each place as often as any other', () => {
    const list = listOf({ name: 'randomResizedCrop' }, { name: 'randomCrop', padding: 2 })
    const counts = new Map<string, number>()
    for (let sample = 0; sample < 2500; sample++) {
      const { left, top } = drawnBy<{ left: number; top: number }>(list, 'randomCrop', sample)
      counts.set(`${left} ${top}`, (counts.get(`${left} ${top}`) ?? 0) + 1)
    }
    assert.equal(counts.size, 25)
    for (const [place, count] of counts) assert.ok(Math.abs(count - 100) < 45, `${place}: ${count} times`)
  })
})

describe('lists with random crops', () => {
  it('are refused where something does not fit', () => {
    const refusal = (...list: object[]): string => augmentationSchema.safeParse([...list, normalise]).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join() ?? 'taken'
    assert.equal(refusal({ name: 'randomResizedCrop', scale: [1, 0.5] }), '0.scale: expected the smaller number first')
    assert.match(refusal({ name: 'randomResizedCrop', scale: [0, 1] }), /^0\.scale\.0: .*>=0\.01$/)
    assert.match(refusal({ name: 'randomResizedCrop' }, { name: 'flip' }), /^1: "flip" takes a photograph of any size; after "randomResizedCrop" there is a square/)
    assert.match(refusal({ name: 'randomErasing' }), /^0: "randomErasing" takes a square/)
    assert.match(refusal({ name: 'randomResizedCrop' }, { name: 'randomCrop', padding: 1.5 }), /^1\.padding: /)
    assert.equal(refusal({ name: 'rotate' }, { name: 'randomResizedCrop' }, { name: 'randomCrop' }, { name: 'trivialAugment' }, { name: 'colourJitter' }, { name: 'randomErasing' }), 'taken')
  })

  it('make the same pixels of the same key, and leave the photograph as it is', () => {
    const list = listOf({ name: 'alternatingFlip' }, { name: 'randomResizedCrop' }, { name: 'randomCrop' }, { name: 'trivialAugment' }, { name: 'randomErasing', probability: 0.5 })
    const photograph = synthetic(90, 70)
    const digestOf = (sample: number, epoch: number, copy: { repeat?: number } = {}): string => {
      const out = new Uint8Array(48 * 48 * 3)
      augment(photograph, 48, list, { ...keyed(sample, epoch), ...copy }, out, 0)
      return sha256([out])
    }
    const keys = Array.from({ length: 40 }, (_, i) => [i % 20, 1 + Math.floor(i / 20)] as const)
    const forwards = keys.map(([sample, epoch]) => digestOf(sample, epoch))
    assert.deepEqual(keys.toReversed().map(([sample, epoch]) => digestOf(sample, epoch)).toReversed(), forwards)
    assert.equal(new Set(forwards).size, forwards.length)
    assert.equal(digestOf(0, 1, { repeat: 0 }), forwards[0])
    assert.equal(new Set([0, 1, 2, 1000].map((repeat) => digestOf(0, 1, { repeat }))).size, 4, 'copies of a sample in one epoch are augmented differently')
    assert.deepEqual(photograph, synthetic(90, 70))
    assert.deepEqual(defaultAugmentation.map(({ name }) => name), ['flip', 'rotate', 'resize', 'centreCrop', 'normalise'])
  })
})

function mirror({ data, width, height }: DecodedImage): DecodedImage {
  return { data: data.map((_, i, all) => all[(Math.floor(i / 3 / width) * width + width - 1 - (Math.floor(i / 3) % width)) * 3 + (i % 3)]), width, height }
}
