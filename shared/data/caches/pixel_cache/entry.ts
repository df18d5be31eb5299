import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { DECODER_VERSION, MAX_SIDE } from '../../transforms/decode.ts'

/** Raised with every change of the format, and of what `decodeImage` makes of a file. */
const FORMAT = 1

const SLOT_WORDS = { offset: 32, width: 40, height: 44, pixelsCrc: 48, ownCrc: 60 } as const
const MAGIC = 'herd decoded images'

/** An index file is a row of slots: the head, then one for each image. */
export const SLOT_BYTES = 64

/** Where the pixels of an image are, and how they are known to be sound. */
export interface Entry {
  /** Of the image's file, in hexadecimal. */
  sha256: string
  /** In the segment's file of pixels: uint8 [height, width, 3]. */
  offset: number
  width: number
  height: number
  /** CRC-32 of the pixels. */
  crc: number
}

/**
 * Names what decoding depends on besides the file: the decoder, the processor (its vector code may round differently), the size.
 * @param shortSide to which a larger image is reduced while it is decoded
 */
export function variantOf(shortSide: number): string {
  return createHash('sha256').update(`${FORMAT}, ${DECODER_VERSION}, ${process.platform}-${process.arch}, ${shortSide}`).digest('hex').slice(0, 16)
}

/** The first slot of an index: whose it is. */
export function headOf(variant: string): Buffer {
  const head = Buffer.alloc(SLOT_BYTES)
  head.write(`${MAGIC} ${FORMAT} ${variant}\n`, 'latin1')
  return head
}

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

/** @returns undefined where the slot is damaged or only half written */
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
