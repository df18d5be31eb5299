import { z } from 'zod'

/** Schemas of the fields that messages between processes have in common. */

/** Characters that could forge lines or change the order of text in a log or a terminal, or that are not valid Unicode. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u
const MAX_TEXT = 4096

/** True if a text has no characters that could forge lines, change the order of text, or are not valid Unicode. */
export function isPrintable(value: string): boolean {
  return !UNPRINTABLE.test(value)
}

/** Makes a text for people fit for a message: one line, unprintable characters replaced by spaces, cut to `maxLength` characters. */
export function plainText(value: string, maxLength = MAX_TEXT): string {
  return value.slice(0, maxLength).replaceAll(new RegExp(UNPRINTABLE, 'gu'), ' ')
}

/** Makes the schema of a text as `plainText` returns it. */
export const plain = (maxLength: number): z.ZodString => z.string().max(maxLength).refine(isPrintable, 'must be text without control characters')
export const text = plain(MAX_TEXT)
/** A duration, or the time of a clock, in seconds; at most some thirty years, so that sums and milliseconds of it stay finite. */
export const seconds = z.number().min(0).max(1e9)
/** A number of bytes. */
export const byteCount = z.number().min(0).max(Number.MAX_SAFE_INTEGER)
/** An unsigned integer of 32 bits. */
export const uint = z.int().min(0).max(4294967295)
/** A sum of losses, which is NaN or infinite if the run has diverged. */
export const lossSum = z.union([z.number(), z.nan(), z.literal(Infinity)])
