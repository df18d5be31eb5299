import type { Partners } from '../engine/engine.ts'
import { exponentialOf, logarithmOf } from '../kit/exponential.ts'
import type { Mix } from '../model/mix.ts'
import { KeyedRandom, Purpose } from '../random/philox.ts'

/** The images and labels of a lane, as they are mixed. */
export interface Unmixed {
  step: number
  samples: readonly number[]
  labels: readonly number[]
  /** uint8 [samples, size, size, 3]. */
  images: Uint8Array
}

/** Steps of the share of an image's own, so that blended bytes are computed with integers. */
const STEPS = 256

/**
 * Mixes each image of a lane with the next one, and the last with the first. What is drawn is keyed by seed, step and the lane's first sample: it is the
 * same on every worker.
 * @returns new images, and the labels of the others with the share of each image's own
 */
export function mixed({ step, samples, labels, images }: Unmixed, seed: number, mix: Mix): { images: Uint8Array; partners: Partners } {
  const random = new KeyedRandom(seed, Purpose.mix, step, samples[0])
  const count = samples.length
  const next = (row: number): number => (row + 1) % count
  const { images: changed, share } = random.uniform() < mix.probability ? mixedImages(images, count, next, mix, random) : { images, share: 1 }
  return { images: changed, partners: { labels: Int32Array.from(labels, (_, row) => labels[next(row)]), share: new Float32Array(count).fill(share) } }
}

function mixedImages(images: Uint8Array, count: number, next: (row: number) => number, { name, alpha }: Mix, random: KeyedRandom): { images: Uint8Array; share: number } {
  const own = beta(alpha, random)
  const length = images.length / count
  return name === 'mixUp' ? blended(images, length, next, Math.round(own * STEPS)) : patched(images, length, next, own, random)
}

/** Blends images. @param own share of an image's own, in steps */
function blended(images: Uint8Array, length: number, next: (row: number) => number, own: number): { images: Uint8Array; share: number } {
  const out = new Uint8Array(images.length)
  for (let row = 0, at = 0; at < images.length; row++) {
    for (let other = next(row) * length, end = at + length; at < end; at++, other++) out[at] = (images[at] * own + images[other] * (STEPS - own) + STEPS / 2) >> 8
  }
  return { images: out, share: own / STEPS }
}

/** Puts a rectangle of each image's next one into it, at the same place: its centre is drawn uniformly, and what would be outside is cut off. */
function patched(images: Uint8Array, length: number, next: (row: number) => number, own: number, random: KeyedRandom): { images: Uint8Array; share: number } {
  const size = Math.sqrt(length / 3)
  const side = Math.trunc(size * Math.sqrt(1 - own))
  const [left, right] = extent(random.below(size), side, size)
  const [top, bottom] = extent(random.below(size), side, size)
  const out = images.slice()
  for (let row = 0; row * length < images.length; row++) {
    for (let y = top; y < bottom; y++) {
      const [begin, end] = [(y * size + left) * 3, (y * size + right) * 3]
      out.set(images.subarray(next(row) * length + begin, next(row) * length + end), row * length + begin)
    }
  }
  return { images: out, share: 1 - ((right - left) * (bottom - top)) / (size * size) }
}

function extent(centre: number, side: number, size: number): [begin: number, end: number] {
  const begin = centre - Math.floor(side / 2)
  return [Math.max(begin, 0), Math.min(begin + side, size)]
}

/** Draws from Beta(alpha, alpha), by Jöhnk's algorithm, with functions that give the same bits on every machine. */
function beta(alpha: number, random: KeyedRandom): number {
  const root = (): number => exponentialOf(logarithmOf(1 - random.uniform()) / alpha)
  for (;;) {
    const [x, y] = [root(), root()]
    if (x + y > 0 && x + y <= 1) return x / (x + y)
  }
}
