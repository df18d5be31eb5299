import assert from 'node:assert/strict'
import { z } from 'zod'
import { PixelCache } from '../../../../../../shared/data/caches/pixel_cache/pixel_cache.ts'
import { KeyedRandom, Purpose } from '../../../../../../shared/random/philox.ts'
import { imageOf, keyOf } from './images.ts'

/** Opens the cache several times, asks for images in an order of its own, checks those that it gets, offers those that are missing, and prints how many it has found so far. */
const { folder, seed, images, limitBytes, openings } = z.object({ folder: z.string(), seed: z.int(), images: z.int(), limitBytes: z.int(), openings: z.int() }).parse(JSON.parse(process.argv[2]))
const ASKED = 600

const expected = Array.from({ length: images }, (_, number) => imageOf(number))
const random = new KeyedRandom(seed, Purpose.draw)
let found = 0
for (let opening = 0; opening < openings; opening++) {
  // A fast clock makes every process look often for images that the others have written.
  const cache = await PixelCache.open({ folder, limitBytes, files: new Set(expected.map((_, number) => keyOf(number))), shortSide: 600, now: () => Date.now() + 1000 * performance.now(), warn: () => undefined })
  for (let asked = 0; asked < ASKED; asked++) {
    const number = random.below(images)
    const there = await cache.read(keyOf(number), (image) => assert.deepEqual({ ...image, data: new Uint8Array(image.data) }, expected[number]))
    if (there) process.stdout.write(`${++found}\n`)
    else cache.offer(keyOf(number), expected[number])
  }
  await cache.close()
}
