/**
 * Images a second that one core decodes and transforms: the input pipeline's cost beside the network's 35 ms an image.
 *
 *     node --import tsx benchmark/input.ts [DATA_FOLDER]
 *
 * Without a folder it makes photographs-like JPEGs of 300 x 225 pixels, the usual size in Animals-10. The stages alternate, so that a
 * machine that is slower for a while slows all of them; medians and quartiles over the rounds are printed.
 * One image at a time; decoding and its thread's work are counted as CPU time, so that other threads do not flatter it.
 */
import { readFile } from 'node:fs/promises'
import sharp from 'sharp'
import { decodeImage, type DecodedImage } from '../shared/data/decode.ts'
import { scanFolder } from '../shared/data/scan.ts'
import { augment, centre, decodeTarget } from '../shared/data/transforms.ts'
import { KeyedRandom, Purpose } from '../shared/random/philox.ts'

const IMAGE_SIZE = 256
const IMAGES = 256
const ROUNDS = 15
const WARM_UP_ROUNDS = 3

/** Smooth blobs with fine noise compress to about 20 kB, as photographs of this size do. */
async function drawnPhotographs(): Promise<Buffer[]> {
  const photographs: Buffer[] = []
  for (let i = 0; i < IMAGES; i++) {
    const random = new KeyedRandom(0, Purpose.draw, i)
    const coarse = Uint8Array.from({ length: 20 * 15 * 3 }, () => random.below(256))
    const noise = Uint8Array.from({ length: 300 * 225 * 3 }, () => 112 + random.below(32))
    const blobs = await sharp(coarse, { raw: { width: 20, height: 15, channels: 3 } }).resize(300, 225).raw().toBuffer()
    const picture = blobs.map((value, p) => Math.max(0, Math.min(255, value + noise[p] - 128)))
    photographs.push(await sharp(picture, { raw: { width: 300, height: 225, channels: 3 } }).jpeg({ quality: 85 }).toBuffer())
  }
  return photographs
}

/** Evenly spread over the folder's images. */
async function photographsOf(folder: string): Promise<Buffer[]> {
  const { candidates } = await scanFolder(folder)
  const count = Math.min(IMAGES, candidates.length)
  return Promise.all(Array.from({ length: count }, (_, i) => readFile(candidates[Math.floor((i * candidates.length) / count)].file)))
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.round((sorted.length - 1) * share)]
}

/** CPU milliseconds of this process, all threads. */
function cpuMilliseconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

async function main(): Promise<void> {
  const folder = process.argv[2]
  const photographs = folder === undefined ? await drawnPhotographs() : await photographsOf(folder)
  const images: DecodedImage[] = []
  const out = new Uint8Array(IMAGE_SIZE * IMAGE_SIZE * 3)

  const stages = {
    decode: async (): Promise<void> => {
      images.length = 0
      for (const bytes of photographs) images.push(await decodeImage(bytes, decodeTarget(IMAGE_SIZE)))
    },
    augment: async (round: number): Promise<void> => images.forEach((image, i) => augment(image, IMAGE_SIZE, new KeyedRandom(0, Purpose.augment, round, i), out, 0)),
    centre: async (): Promise<void> => images.forEach((image) => centre(image, IMAGE_SIZE, out, 0)),
  }
  const milliseconds = new Map<string, number[]>(Object.keys(stages).map((name) => [name, []]))
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
    for (const [name, stage] of Object.entries(stages)) {
      const before = cpuMilliseconds()
      await stage(round)
      if (round >= WARM_UP_ROUNDS) milliseconds.get(name)?.push((cpuMilliseconds() - before) / photographs.length)
    }
  }

  const averageBytes = photographs.reduce((sum, bytes) => sum + bytes.length, 0) / photographs.length
  process.stdout.write(`${photographs.length} images of ${Math.round(averageBytes / 1000)} kB on average, to ${IMAGE_SIZE} x ${IMAGE_SIZE}; CPU time, ${ROUNDS} rounds\n`)
  process.stdout.write('stage        ms an image: median (quartiles)    images/s a core\n')
  let training = 0
  for (const [name, times] of milliseconds) {
    const sorted = times.sort((a, b) => a - b)
    const median = quantile(sorted, 0.5)
    if (name !== 'centre') training += median
    const spread = `${median.toFixed(2)} (${quantile(sorted, 0.25).toFixed(2)} to ${quantile(sorted, 0.75).toFixed(2)})`
    process.stdout.write(`${name.padEnd(13)}${spread.padEnd(36)}${Math.round(1000 / median)}\n`)
  }
  process.stdout.write(`${'training'.padEnd(13)}${training.toFixed(2).padEnd(36)}${Math.round(1000 / training)}\n`)
}

await main()
