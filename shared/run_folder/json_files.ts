import { readFile } from 'node:fs/promises'
import type { z } from 'zod'
import { writeAtomically } from '../kit/atomic_file.ts'
import { messageOf, RunError, WriteError } from '../kit/errors.ts'

/**
 * Writes a value as indented JSON, whole or not at all.
 * @throws WriteError if the disk refuses
 * @throws RunError if the value does not fit the schema
 */
export async function writeJson<T>(file: string, schema: z.ZodType<T>, value: T): Promise<void> {
  await writeWhole(file, Buffer.from(`${JSON.stringify(checked(file, schema, value), null, 2)}\n`))
}

/** Writes a file, whole or not at all. @throws WriteError if the disk refuses */
export async function writeWhole(file: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeAtomically(file, [bytes])
  } catch (error) {
    throw new WriteError(`${file} cannot be written: ${messageOf(error)}.`, { cause: error })
  }
}

/**
 * Reads a value from a JSON file.
 * @throws RunError if the file does not exist, cannot be read, is not JSON, or does not fit the schema
 */
export async function readJson<T>(file: string, schema: z.ZodType<T>): Promise<T> {
  const text = await readText(file)
  if (text === undefined) throw new RunError(`${file} does not exist: check the run's folder.`)
  return parsed(file, schema, text)
}

/**
 * Reads a file's text.
 * @returns undefined if it does not exist
 * @throws RunError if it cannot be read
 */
export async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new RunError(`${file} cannot be read: ${messageOf(error)}.`, { cause: error })
  }
}

/**
 * Parses JSON, and checks it by its schema.
 * @param place names the file, and the line if there is one, for error messages
 * @throws RunError that names the place
 */
export function parsed<T>(place: string, schema: z.ZodType<T>, text: string): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new RunError(`${place} is not JSON: repair or remove it.`, { cause: error })
  }
  return checked(place, schema, value)
}

/**
 * Checks a value by its schema.
 * @param place names the file, and the line if there is one, for error messages
 * @returns the value with the schema's defaults and transformations applied
 * @throws RunError that names the place and the first field that is wrong
 */
export function checked<T>(place: string, schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new RunError(`${place} is not as expected: ${issue.path.join('.') || 'the whole'}: ${issue.message}.`, { cause: result.error })
}
