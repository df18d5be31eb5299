import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import sharp, { type Sharp } from 'sharp'
import { decodeImage, type DecodedImage } from '../../../../../shared/data/transforms/decode.ts'
import { DataError } from '../../../../../shared/kit/errors.ts'
import { picture } from '../images.ts'

const solid = (r: number, g: number, b: number, alpha?: number): Sharp =>
  sharp({ create: { width: 20, height: 10, channels: alpha === undefined ? 3 : 4, background: { r, g, b, alpha: alpha ?? 1 } } })

const pixel = (image: DecodedImage, x: number, y: number): number[] => [...image.data.subarray((y * image.width + x) * 3, (y * image.width + x) * 3 + 3)]

function near(actual: number[], expected: number[], tolerance: number): void {
  assert.ok(actual.every((value, i) => Math.abs(value - expected[i]) <= tolerance), `[${actual.join()}] is not [${expected.join()}]`)
}

describe('decodeImage', () => {
  it('reads every format to 8-bit RGB', async () => {
    for (const [format, bytes] of [
      ['jpeg', await solid(200, 100, 50).jpeg({ quality: 100 }).toBuffer()],
      ['progressive jpeg', await solid(200, 100, 50).jpeg({ quality: 100, progressive: true }).toBuffer()],
      ['png', await solid(200, 100, 50).png().toBuffer()],
      ['palette png', await solid(200, 100, 50).png({ palette: true }).toBuffer()],
      ['webp', await solid(200, 100, 50).webp({ lossless: true }).toBuffer()],
      ['gif', await solid(200, 100, 50).gif().toBuffer()],
      ['tiff', await solid(200, 100, 50).tiff({ compression: 'lzw' }).toBuffer()],
    ] as const) {
      const image = await decodeImage(bytes)
      assert.deepEqual([image.width, image.height, image.data.length], [20, 10, 600], format)
      near(pixel(image, 7, 3), [200, 100, 50], 2)
    }
  })

  it('applies the EXIF orientation', async () => {
    const halves = Buffer.alloc(20 * 10 * 3)
    for (let i = 0; i < halves.length; i++) halves[i] = i % 60 < 30 ? 255 : 0
    const turned = await sharp(halves, { raw: { width: 20, height: 10, channels: 3 } }).withMetadata({ orientation: 6 }).png().toBuffer()
    const image = await decodeImage(turned)
    assert.deepEqual([image.width, image.height], [10, 20])
    assert.deepEqual([pixel(image, 5, 0), pixel(image, 5, 19)], [[255, 255, 255], [0, 0, 0]])
  })

  it('copies grey to three channels', async () => {
    const bytes = await solid(90, 90, 90).toColourspace('b-w').png().toBuffer()
    assert.equal((await sharp(bytes).metadata()).channels, 1)
    assert.deepEqual(pixel(await decodeImage(bytes), 3, 3), [90, 90, 90])
  })

  it('converts CMYK', async () => {
    const bytes = await solid(200, 100, 50).toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer()
    assert.equal((await sharp(bytes).metadata()).space, 'cmyk')
    near(pixel(await decodeImage(bytes), 3, 3), [200, 100, 50], 40)
  })

  it('puts transparency on white', async () => {
    assert.deepEqual(pixel(await decodeImage(await solid(0, 0, 0, 0).png().toBuffer()), 3, 3), [255, 255, 255])
    near(pixel(await decodeImage(await solid(0, 0, 0, 0.5).webp({ lossless: true }).toBuffer()), 3, 3), [127, 127, 127], 1)
    const greyAlpha = await sharp(Buffer.from([10, 0, 10, 255]), { raw: { width: 2, height: 1, channels: 2 } }).png().toBuffer()
    assert.deepEqual([...(await decodeImage(greyAlpha)).data], [255, 255, 255, 10, 10, 10])
  })

  it('keeps the upper 8 bits of 16', async () => {
    for (const space of ['rgb16', 'grey16'] as const) {
      const bytes = await solid(120, 120, 120).toColourspace(space).png().toBuffer()
      assert.equal((await sharp(bytes).metadata()).depth, 'ushort')
      assert.deepEqual(pixel(await decodeImage(bytes), 3, 3), [120, 120, 120])
    }
  })

  it('refuses samples whose scale it cannot know', async () => {
    const pixels = 16
    const files = [
      ['float', tiffOf(32, 3, new Float32Array(pixels).fill(0.5))], ['uint', tiffOf(32, 1, new Uint32Array(pixels).fill(7))], ['short', tiffOf(16, 2, new Int16Array(pixels).fill(-1000))],
    ] as const
    for (const [depth, bytes] of files) {
      assert.equal((await sharp(bytes).metadata()).depth, depth)
      await assert.rejects(decodeImage(bytes, Infinity, 'scan.tif'), new DataError(`scan.tif cannot be decoded: its samples are of type ${depth}, not whole numbers of 8 or 16 bits without sign: convert it.`))
    }
    assert.deepEqual(pixel(await decodeImage(tiffOf(16, 1, new Uint16Array(pixels).fill(0x4000))), 1, 1), [64, 64, 64], 'without a sign, 16 bits are fine')
  })

  it('takes the first frame of an animation', async () => {
    const frames = Buffer.concat([Buffer.alloc(300, 255), Buffer.alloc(300, 0)])
    for (const format of ['gif', 'webp'] as const) {
      const bytes = await sharp(frames, { raw: { width: 10, height: 20, channels: 3, pageHeight: 10 } }).toFormat(format).toBuffer()
      assert.equal((await sharp(bytes).metadata()).pages, 2)
      const image = await decodeImage(bytes)
      assert.deepEqual([image.width, image.height], [10, 10])
      near(pixel(image, 5, 5), [255, 255, 255], 3)
    }
  })

  it('reduces only what is larger than asked for, and keeps its shape', async () => {
    const bytes = await picture(1, 400, 300).jpeg().toBuffer()
    const reduced = await decodeImage(bytes, 60)
    assert.deepEqual([reduced.width, reduced.height], [80, 60])
    const full = await decodeImage(bytes)
    const untouched = await decodeImage(bytes, 300)
    assert.deepEqual([untouched.width, untouched.height], [400, 300])
    assert.deepEqual(untouched.data, full.data)
  })

  it('rejects what is no image, and names the file', async () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from('just text'), Buffer.alloc(5000), Buffer.from([0xff, 0xd8, 0xff])]) {
      await assert.rejects(decodeImage(bytes, 600, 'cane/a.jpg'), (error) => error instanceof DataError && error.message.startsWith('cane/a.jpg ') && !error.message.includes('\n'))
    }
  })

  it('rejects formats that no image of a data set has', async () => {
    await assert.rejects(decodeImage(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')), /cannot be decoded: it is svg, not JPEG/)
  })

  it('rejects truncated files of every format, reduced or not', async () => {
    for (const format of ['jpeg', 'png', 'webp', 'gif', 'tiff'] as const) {
      const bytes = await picture(2, 200, 150).toFormat(format).toBuffer()
      for (const share of [0.02, 0.5, 0.95]) {
        const truncated = bytes.subarray(0, Math.floor(bytes.length * share))
        for (const maxShortSide of [Infinity, 20]) await assert.rejects(decodeImage(truncated, maxShortSide), DataError, `${format} cut at ${share}`)
      }
    }
  })

  it('rejects decompression bombs before decoding them', async () => {
    const wide = await sharp({ create: { width: 16_385, height: 1, channels: 3, background: 'red' } }).png().toBuffer()
    await assert.rejects(decodeImage(wide), /16385 x 1 pixels, but a side may have at most 16384/)
    // This PNG claims 16,000 x 16,000 pixels in its header, but does not have them.
    const bomb = Buffer.from(await solid(1, 2, 3).png().toBuffer())
    bomb.writeUInt32BE(16_000, 16)
    bomb.writeUInt32BE(16_000, 20)
    await assert.rejects(decodeImage(bomb, 600), DataError)
  })
})

/** A grey TIFF of 4 x 4 pixels, uncompressed. @param format SampleFormat of TIFF 6.0: 1 without sign, 2 with sign, 3 floating point */
function tiffOf(bits: number, format: number, samples: Float32Array | Uint32Array | Int16Array | Uint16Array): Buffer {
  const data = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)
  const fields = [[256, 4], [257, 4], [258, bits], [259, 1], [262, 1], [273, 8], [277, 1], [278, 4], [279, data.length], [339, format]]
  const directory = Buffer.alloc(2 + 12 * fields.length + 4)
  directory.writeUInt16LE(fields.length, 0)
  fields.forEach(([tag, value], index) => {
    const at = 2 + 12 * index
    directory.writeUInt16LE(tag, at)
    directory.writeUInt16LE(4, at + 2)
    directory.writeUInt32LE(1, at + 4)
    directory.writeUInt32LE(value, at + 8)
  })
  const header = Buffer.from([0x49, 0x49, 42, 0, 0, 0, 0, 0])
  header.writeUInt32LE(8 + data.length, 4)
  return Buffer.concat([header, data, directory])
}
