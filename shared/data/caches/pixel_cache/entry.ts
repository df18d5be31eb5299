import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { DECODER_VERSION, MAX_SIDE } from '../../transforms/decode.ts'

/** Version of the format; raised with every change of the format, and of the pixels to which `decodeImage` decodes a file. */
const FORMAT = 1

/** Position of each field in a slot, in bytes. The first 32 bytes are the sha256. */
const SLOT_WORDS = { offset: 32, width: 40, height: 44, pixelsCrc: 48, ownCrc: 60 } as const
const MAGIC = 'herd decoded images'

/** Bytes of a slot. An index file is a sequence of slots: the head, then one for each image. */
export const SLOT_BYTES = 64

/** Place of an image's pixels in a segment, and the checksum that shows whether they are sound. */
export interface Entry {
  /** Hash of the image's file, in hexadecimal. */
  sha256: string
  /** Position in bytes of the pixels, uint8 [height, width, 3], in the segment's file of pixels. */
  offset: number
  width: number
  height: number
  /** CRC-32 of the pixels. */
  crc: number
}

/**
 * Returns a name for everything on which decoding depends besides the file: the decoder, the processor (its vector code may round
 * differently) and the size.
 * @param shortSide short side to which larger images are reduced while they are decoded, in pixels
 * @returns 16 hexadecimal digits
 */
export function variantOf(shortSide: number): string {
  return createHash('sha256').update(`${FORMAT}, ${DECODER_VERSION}, ${process.platform}-${process.arch}, ${shortSide}`).digest('hex').slice(0, 16)
}

/** Encodes the first slot of an index, which names the format and the variant. */
export function headOf(variant: string): Buffer {
  const head = Buffer.alloc(SLOT_BYTES)
  head.write(`${MAGIC} ${FORMAT} ${variant}\n`, 'latin1')
  return head
}

/** Encodes an entry as a slot, with a checksum of its own. */
export function slotOf({ sha256, offset, width, height, crc }: Entry): Buffer {
  const slot = Buffer.alloc(SLOT_BYTES)
  slot.write(sha256, 'hex')
  slot.writeBigUInt64LE(BigInt(offset), SLOT_WORDS.offset)
  slot.writeUInt32LE(width, SLOT_WORDS.width)
  slot.writeUInt32LE(height, SLOT_WORDS.height)
  slot.writeUInt32LE(crc, SLOT_WORDS.pixelsCrc)
  slot.writeUInt32LE(crc32(slot.subarray(0, SLOT_WORDS.ownCrc)), SLOT_WORDS.ownCrc)
  return slot
}

/** Decodes a slot. @returns undefined if the slot is damaged or only half written */
export function entryOf(slot: Buffer): Entry | undefined {
  if (crc32(slot.subarray(0, SLOT_WORDS.ownCrc)) !== slot.readUInt32LE(SLOT_WORDS.ownCrc)) return undefined
  const entry = {
    sha256: slot.toString('hex', 0, SLOT_WORDS.offset),
    offset: Number(slot.readBigUInt64LE(SLOT_WORDS.offset)),
    width: slot.readUInt32LE(SLOT_WORDS.width),
    height: slot.readUInt32LE(SLOT_WORDS.height),
    crc: slot.readUInt32LE(SLOT_WORDS.pixelsCrc),
  }
  const isSide = (side: number): boolean => side >= 1 && side <= MAX_SIDE
  return Number.isSafeInteger(entry.offset) && isSide(entry.width) && isSide(entry.height) ? entry : undefined
}

export function pixelBytes({ width, height }: Pick<Entry, 'width' | 'height'>): number {
  return width * height * 3
}
