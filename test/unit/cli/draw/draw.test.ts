import assert from 'node:assert/strict'
import { test } from 'node:test'
import sharp from 'sharp'
import { drawAnimal, DRAWN_CLASSES, DRAWN_SIZES } from '../../../../cli/draw/animal.ts'
import { renderAnimal } from '../../../../cli/draw/raster.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'

const svg = (seed: number, classIndex: number, imageIndex: number): string =>
  drawAnimal(classIndex, new KeyedRandom(seed, Purpose.draw, classIndex, imageIndex))

test('a drawing depends on seed, class and image and on nothing else', () => {
  for (const classIndex of DRAWN_CLASSES.keys()) {
    const first = svg(7, classIndex, 3)
    svg(8, (classIndex + 1) % 10, 0)
    assert.equal(svg(7, classIndex, 3), first)
    assert.notEqual(svg(8, classIndex, 3), first)
    assert.notEqual(svg(7, classIndex, 4), first)
  }
})

test('no drawing has a number that is not one, or a reference to nothing', () => {
  for (const classIndex of DRAWN_CLASSES.keys()) {
    for (let imageIndex = 0; imageIndex < 60; imageIndex++) {
      const text = svg(1, classIndex, imageIndex)
      assert.doesNotMatch(text, /NaN|Infinity|undefined/, `${DRAWN_CLASSES[classIndex]} ${imageIndex}`)
      const ids = new Set([...text.matchAll(/ id="(\w+)"/g)].map(([, id]) => id))
      for (const [, id] of text.matchAll(/url\(#(\w+)\)/g)) assert.ok(ids.has(id), id)
    }
  }
})

test('the bytes repeat too, and are JPEGs of the promised sizes for every class', async () => {
  const allowed = new Set(DRAWN_SIZES.map(([width, height]) => `${width}x${height}`))
  const seen = new Set<string>()
  for (const classIndex of DRAWN_CLASSES.keys()) {
    for (const imageIndex of [0, 1, 2]) {
      const bytes = await renderAnimal(5, classIndex, imageIndex)
      assert.ok(bytes.equals(await renderAnimal(5, classIndex, imageIndex)))
      const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true })
      const { format } = await sharp(bytes).metadata()
      assert.equal(format, 'jpeg')
      assert.equal(info.channels, 3)
      assert.ok(allowed.has(`${info.width}x${info.height}`))
      assert.ok(new Set(data).size > 50, 'more than a flat colour')
      seen.add(`${info.width}x${info.height}`)
    }
  }
  assert.ok(seen.size >= 4, 'sizes vary')
  assert.ok(!(await renderAnimal(6, 0, 0)).equals(await renderAnimal(5, 0, 0)))
})

test('the average colour does not give the class away', async () => {
  const perClass = 14
  const samples: { classIndex: number; mean: number[]; held: boolean }[] = []
  for (const classIndex of DRAWN_CLASSES.keys()) {
    for (let imageIndex = 0; imageIndex < perClass; imageIndex++) {
      // The picture is drawn at an eighth of its size, which does not change its mean colour.
      const picture = sharp(Buffer.from(svg(11, classIndex, imageIndex)), { density: 9 }).removeAlpha()
      const { channels } = await picture.stats()
      samples.push({ classIndex, mean: channels.map((channel) => channel.mean), held: imageIndex >= perClass / 2 })
    }
  }
  const centres = [...DRAWN_CLASSES.keys()].map((classIndex) => {
    const own = samples.filter((sample) => !sample.held && sample.classIndex === classIndex)
    return [0, 1, 2].map((channel) => own.reduce((sum, sample) => sum + sample.mean[channel], 0) / own.length)
  })
  const distance = (a: number[], b: number[]): number => Math.hypot(...a.map((value, i) => value - b[i]))
  const held = samples.filter((sample) => sample.held)
  const correct = held.filter(({ mean, classIndex }) => {
    const distances = centres.map((centre) => distance(mean, centre))
    return distances.indexOf(Math.min(...distances)) === classIndex
  })
  const accuracy = correct.length / held.length
  assert.ok(accuracy < 0.25, `nearest mean colour is right for ${accuracy}`)
})
