import sharp from 'sharp'
import { KeyedRandom, Purpose } from '../../shared/random/philox.ts'
import { drawAnimal } from './animal.ts'

/**
 * Draws one JPEG file, which depends on (seed, class, image) and on nothing else. The drawing is then treated as a camera
 * treats a picture: blur, grain and compression.
 * @param classIndex place in DRAWN_CLASSES
 * @param imageIndex 0 for the first image of the class
 */
export async function renderAnimal(seed: number, classIndex: number, imageIndex: number): Promise<Buffer> {
  const random = new KeyedRandom(seed, Purpose.draw, classIndex, imageIndex)
  const svg = drawAnimal(classIndex, random)
  const blur = random.uniform() < 0.25 ? random.between(0.4, 1.2) : 0
  const grain = random.uniform() < 0.6 ? random.between(2, 12) : 0
  const quality = 55 + random.below(40)
  const drawn = sharp(Buffer.from(svg)).removeAlpha()
  const { data, info } = await (blur > 0 ? drawn.blur(blur) : drawn).raw().toBuffer({ resolveWithObject: true })
  addGrain(data, grain, random.uint32())
  return sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } }).jpeg({ quality }).toBuffer()
}

/** Adds uniform noise of the given amplitude to every byte, from xorshift32 (Marsaglia 2003), since Philox would take most of the time here. */
function addGrain(pixels: Buffer, amplitude: number, seed: number): void {
  if (amplitude === 0) return
  let state = seed | 1
  for (let i = 0; i < pixels.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    const value = pixels[i] + (state / 2147483648) * amplitude
    pixels[i] = value < 0 ? 0 : value > 255 ? 255 : value
  }
}
