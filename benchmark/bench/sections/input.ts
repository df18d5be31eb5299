import path from 'node:path'
import { DecodedCache } from '../../../shared/data/caches/decoded_cache.ts'
import { PixelCache } from '../../../shared/data/caches/pixel_cache/pixel_cache.ts'
import { plainWindow } from '../../../shared/data/transforms/plain_window.ts'
import { augment } from '../../../shared/data/transforms/apply.ts'
import { decodeTarget, defaultTransforms } from '../../../shared/data/transforms/transforms.ts'
import { decodeSamples, type SampleTransform } from '../../../shared/data/sample_images.ts'
import { alternate, type Contender } from '../contender.ts'
import { drawnPhotographs, photographsOf } from '../photographs.ts'
import type { BenchSettings, Section } from '../section.ts'

/** Images of a lane, as of batch 64 in 8 lanes. */
const LANE = 8
const UNLIMITED = 1e12

export const [DECODED, MEMORY, FILE, PLAIN] = ['decoded', 'from memory', 'from the cache file', 'from memory, plain TypeScript']

/** Measures how the worker's own code prepares images, without an engine: images per second of processor time, all threads of the process together. */
export async function inputSection({ rounds, imageSize, folder, log }: BenchSettings, data: string | undefined, most: number): Promise<Section> {
  const photographs = data === undefined ? await drawnPhotographs(most) : await photographsOf(data, most)
  const { samples } = photographs
  const transforms = defaultTransforms()
  const lanes = Array.from({ length: Math.ceil(samples.length / LANE) }, (_, lane) => samples.ids('train').slice(lane * LANE, (lane + 1) * LANE))
  const open = async (): Promise<DecodedCache> => new DecodedCache(0, {
    samples,
    pixels: await PixelCache.open({ folder: path.join(folder, 'pixels'), limitBytes: UNLIMITED, files: await samples.byHash(), shortSide: decodeTarget(transforms, imageSize), now: Date.now, warn: log }),
  })

  const starts = [
    contender(DECODED, () => Promise.resolve(undefined)),
    contender(MEMORY, () => Promise.resolve(new DecodedCache(UNLIMITED))),
    contender(FILE, async () => {
      const filling = await open()
      await pass(filling, 0, augmented)
      await filling.close()
      return open()
    }),
    contender(PLAIN, () => Promise.resolve(new DecodedCache(UNLIMITED)), plainlyAugmented),
  ]
  const values = await alternate(starts, rounds, (line) => log(`input: ${line}`))
  const fileBytes = samples.ids('train').reduce((sum, id) => sum + samples.bytes(id), 0) / samples.length
  return {
    title: 'The input',
    about: `${samples.length} images, files of ${Math.round(fileBytes / 1000)} kB on average, to training images of ${imageSize} px, as a worker does it: read or decoded, checked, flipped, rotated, resized, cropped, in lanes of ${LANE}. Processor time of all threads.`,
    unit: 'images/s a core', more: true,
    baseline: DECODED,
    measures: [...values].map(([name, ofName]) => ({ name, values: ofName })),
    derived: [],
    notes: [],
  }

  async function pass(decoded: DecodedCache | undefined, epoch: number, how: (epoch: number) => SampleTransform): Promise<void> {
    for (const ids of lanes) await decodeSamples({ ...photographs, ...transforms, imageSize, ...(decoded === undefined ? {} : { decoded }) }, ids, how(epoch))
  }

  function contender(name: string, prepare: () => Promise<DecodedCache | undefined>, how = augmented): () => Promise<Contender> {
    return async () => {
      const decoded = await prepare()
      let epoch = 0
      const round = async (): Promise<number> => {
        const before = process.cpuUsage()
        await pass(decoded, ++epoch, how)
        const { user, system } = process.cpuUsage(before)
        return samples.length / ((user + system) / 1e6)
      }
      // Some rounds warm up: V8 compiles more than once, and the cache is filled.
      for (let warm = 0; warm < 3; warm++) await round()
      return { name, round, close: async () => decoded?.close() }
    }
  }

  function augmented(epoch: number): SampleTransform {
    return (image, out, offset, sample) => augment(image, imageSize, transforms.augmentation, { seed: 0, epoch, sample }, out, offset)
  }

  function plainlyAugmented(epoch: number): SampleTransform {
    return (image, out, offset, sample) => augment(image, imageSize, transforms.augmentation, { seed: 0, epoch, sample }, out, offset, plainWindow)
  }
}
