import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import sharp from 'sharp'
import type { ImageSource } from '../../shared/data/sources/image_source.ts'
import { Samples } from '../../shared/data/columns/samples.ts'
import { fileOf, scanFolder } from '../../shared/data/sources/scan.ts'
import { KeyedRandom, Purpose } from '../../shared/random/philox.ts'

/** Image files in memory. */
export interface Photographs {
  source: ImageSource
  samples: Samples
}

/** Reads at most so many images of a folder, evenly spread over all of them. */
export async function photographsOf(folder: string, most: number): Promise<Photographs> {
  const { root, candidates: { paths, spelled } } = await scanFolder(folder)
  const count = Math.min(most, paths.length)
  return inMemory(await Promise.all(Array.from({ length: count }, (_, i) => readFile(fileOf(root, paths.at(Math.floor((i * paths.length) / count)), spelled)))))
}

const WIDTH = 300
const HEIGHT = 225

/** Draws images of 300 x 225 pixels, the usual size in Animals-10: smooth blobs with fine noise, which compress to about 20 kB as photographs of this size do. */
export async function drawnPhotographs(count: number): Promise<Photographs> {
  const files: Buffer[] = []
  for (let i = 0; i < count; i++) {
    const random = new KeyedRandom(0, Purpose.draw, i)
    const coarse = Uint8Array.from({ length: 20 * 15 * 3 }, () => random.below(256))
    const noise = Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, () => 112 + random.below(32))
    const blobs = await sharp(coarse, { raw: { width: 20, height: 15, channels: 3 } }).resize(WIDTH, HEIGHT).raw().toBuffer()
    const picture = blobs.map((value, p) => Math.max(0, Math.min(255, value + noise[p] - 128)))
    files.push(await sharp(picture, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } }).jpeg({ quality: 85 }).toBuffer())
  }
  return inMemory(files)
}

function inMemory(files: readonly Buffer[]): Photographs {
  return {
    source: { read: (ids) => Promise.resolve(ids.map((id) => files[id])) },
    samples: Samples.of(files.map((file, index) => ({ path: `photograph ${index}`, class: 0, sha256: createHash('sha256').update(file).digest('hex'), bytes: file.length, split: 'train' }))),
  }
}
