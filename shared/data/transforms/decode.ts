import sharp, { type Metadata } from 'sharp'
import { DataError, messageOf } from '../../kit/errors.ts'

/** Pixels of one image: uint8 [height, width, 3], RGB, row-major. */
export interface DecodedImage {
  data: Uint8Array
  width: number
  height: number
}

/** Version of the decoder. Whatever caches keep about a file (that it is readable, its pixels) holds for this version only. */
export const DECODER_VERSION = `sharp ${sharp.versions.sharp ?? ''}, libvips ${sharp.versions.vips}`

/** Formats that an image file may have, whatever its name says. SVG, PDF and the like are left out, since they can draw text or read other files. */
const FORMATS: ReadonlySet<string> = new Set(['jpeg', 'uhdr', 'png', 'webp', 'gif', 'tiff'])

/** Types of the samples that can be brought to 8 bits without knowing their scale. */
const DEPTHS: ReadonlySet<string> = new Set(['uchar', 'ushort'])

/** Limits against decompression bombs; images of a 102-megapixel camera are below both. With sides up to 16,384, rotation also stays inside 16.16 fixed point. */
export const MAX_PIXELS = 2 ** 27
export const MAX_SIDE = 16_384

/**
 * Truncated files and decoding errors reject an image; mere warnings (stray bytes before a JPEG marker, an odd colour
 * profile) do not, since every browser shows such images. The check before training and training itself both
 * decode here, so that they agree on what is readable.
 */
const FAIL_ON = 'error'

/**
 * Decodes JPEG, PNG, WebP, GIF (first frame) or TIFF (first page) to 8-bit RGB: EXIF orientation is applied,
 * grey copied to three channels, CMYK converted to sRGB, 16 bits reduced to their upper 8, transparency put on white.
 * Embedded RGB profiles are ignored, as torchvision's default loader ignores them.
 * @param maxShortSide a larger image is reduced to this short side, in pixels, while it is decoded (JPEG at an eighth to a half of its
 *   size already inside the decoder), which saves most of the time that a photograph of 12 megapixels takes.
 * @param name name of the file, for the error.
 * @param maxPixels an image of more pixels is refused.
 * @throws DataError that names the file and says what is wrong with it.
 */
export async function decodeImage(bytes: Buffer, maxShortSide = Infinity, name = 'the image', maxPixels = MAX_PIXELS): Promise<DecodedImage> {
  if (bytes.length === 0) throw new DataError(`${name} is empty (0 bytes).`)
  try {
    const options = { failOn: FAIL_ON, ignoreIcc: true, limitInputPixels: maxPixels } as const
    const header = await sharp(bytes, options).metadata()
    checkHeader(header)
    const pipeline = sharp(bytes, options).autoOrient()
    if (Math.min(header.width, header.height) > maxShortSide) pipeline.resize({ width: maxShortSide, height: maxShortSide, fit: 'outside' })
    if (header.hasAlpha) pipeline.flatten({ background: '#ffffff' })
    const { data, info } = await pipeline.toColourspace('srgb').raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
    if (info.channels !== 3) throw new Error(`it decodes to ${info.channels} channels instead of 3`)
    return { data, width: info.width, height: info.height }
  } catch (error) {
    throw new DataError(`${name} cannot be decoded: ${messageOf(error).split('\n')[0]}.`, { cause: error })
  }
}

function checkHeader({ format, width, height, depth }: Metadata): void {
  if (!FORMATS.has(format)) throw new Error(`it is ${format}, not JPEG, PNG, WebP, GIF or TIFF`)
  if (width > MAX_SIDE || height > MAX_SIDE) throw new Error(`${width} x ${height} pixels, but a side may have at most ${MAX_SIDE}`)
  // Others have a scale of their own: float samples of 0 to 1, or those of a scanner, would all come out black or white.
  if (!DEPTHS.has(depth)) throw new Error(`its samples are of type ${depth}, not whole numbers of 8 or 16 bits without sign: convert it`)
}
