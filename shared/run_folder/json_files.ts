import { appendFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import writeFileAtomic from 'write-file-atomic'
import type { z } from 'zod'
import { messageOf, RunError } from '../errors.ts'

function cannotWrite(file: string, error: unknown): RunError {
  return new RunError(`${file} cannot be written: ${messageOf(error)}.`, { cause: error })
}

/** Writes a text file whole or not at all. */
export async function writeWhole(file: string, text: string): Promise<void> {
  try {
    await writeFileAtomic(file, text)
  } catch (error) {
    throw cannotWrite(file, error)
  }
}

/** Writes a value, checked by its schema, as JSON for people to read. */
export async function writeJson<T>(file: string, schema: z.ZodType<T>, value: T): Promise<void> {
  await writeWhole(file, `${JSON.stringify(checked(file, schema, value), null, 2)}\n`)
}

export async function readJson<T>(file: string, schema: z.ZodType<T>): Promise<T> {
  const text = await readText(file)
  if (text === undefined) throw new RunError(`${file} does not exist: check the run's folder.`)
  return parsed(file, schema, text)
}

/** Appends one line; synchronously, so that lines stand in the order of the calls and none is lost when the process ends. */
export function appendLine<T>(file: string, schema: z.ZodType<T>, value: T): void {
  const line = `${JSON.stringify(checked(file, schema, value))}\n`
  try {
    appendFileSync(file, line)
  } catch (error) {
    throw cannotWrite(file, error)
  }
}

/**
 * Reads the lines of a file that may be missing. A last line without its end is one that a crash cut off: it is left out.
 * @throws RunError naming the file and line that is not as the schema says.
 */
export async function readLines<T>(file: string, schema: z.ZodType<T>): Promise<T[]> {
  const text = (await readText(file)) ?? ''
  return text.split('\n').slice(0, -1).map((line, index) => parsed(`${file}, line ${index + 1},`, schema, line))
}

/** The file's text, or undefined where it does not exist. */
async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new RunError(`${file} cannot be read: ${messageOf(error)}.`, { cause: error })
  }
}

function parsed<T>(place: string, schema: z.ZodType<T>, text: string): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new RunError(`${place} is not JSON: repair or remove it.`, { cause: error })
  }
  return checked(place, schema, value)
}

function checked<T>(place: string, schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new RunError(`${place} is not as expected: ${issue.path.join('.') || 'the whole'}: ${issue.message}.`, { cause: result.error })
}
