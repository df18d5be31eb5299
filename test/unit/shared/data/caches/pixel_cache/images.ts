import { createHash } from 'node:crypto'
import type { DecodedImage } from '../../../../../../shared/data/transforms/decode.ts'
import { KeyedRandom, Purpose } from '../../../../../../shared/random/philox.ts'

const SIDE = 20
export const BYTES = SIDE * SIDE * 3

/** An image of noise, different for each number. */
export function imageOf(number: number): DecodedImage {
  const random = new KeyedRandom(3, Purpose.draw, number)
  return { data: Uint8Array.from({ length: BYTES }, () => random.below(256)), width: SIDE, height: SIDE }
}

export const keyOf = (number: number): string => createHash('sha256').update(String(number)).digest('hex')
