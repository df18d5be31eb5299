import { existsSync } from 'node:fs'
import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { nativeAvailable } from '../../shared/engine/native.ts'
import { drawDataset, STAMP_FILE } from '../../cli/draw/dataset.ts'
import { summarySchema, type Summary } from '../../shared/run_folder/schemas.ts'

/** A folder for one test file, with a cache of its own, so that no test finds the files of another. */
export interface Workspace {
  folder: string
  path(...parts: string[]): string
  /** Environment variables for the programs, which name the cache in the workspace, and say whether runs draw pictures. */
  environment: Record<string, string>
  remove(): Promise<void>
}

/** @param pictures runs draw none by default, since drawing takes as long as the rest of a small run; a test of pictures asks for them */
export async function createWorkspace({ pictures = false } = {}): Promise<Workspace> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'herd-test-'))
  return {
    folder,
    path: (...parts) => path.join(folder, ...parts),
    environment: { HERD_CACHE: path.join(folder, 'cache'), HERD_PICTURES: pictures ? 'on' : 'off' },
    remove: () => rm(folder, { recursive: true, force: true, maxRetries: 3 }),
  }
}

/**
 * Draws animals in the layout of Animals-10. Under the test runner, each image is drawn once for all test files, and copied.
 * @returns the folder to give to --data
 */
export async function drawAnimals(out: string, perClass: number): Promise<string> {
  const fixtures = process.env['HERD_TEST_FIXTURES']
  if (fixtures !== undefined) await cp(await fixture(path.join(fixtures, `animals-${perClass}`), (folder) => drawRest(fixtures, folder, perClass)), out, { recursive: true })
  // A copied data set is found to be complete, and nothing is drawn.
  return draw(out, perClass)
}

async function draw(out: string, perClass: number): Promise<string> {
  const { folder } = await drawDataset({ out, perClass, seed: 1, onProgress: () => undefined })
  return folder
}

/** Draws what no other fixture has: an image depends on its class and number alone, so a set of fewer images is part of one of more. */
async function drawRest(fixtures: string, folder: string, perClass: number): Promise<string> {
  const sizes = (await readdir(fixtures)).flatMap((name) => /^animals-(\d+)$/.exec(name)?.[1] ?? []).map(Number).sort((a, b) => b - a)
  const [largest] = sizes
  if (largest === undefined) return draw(folder, perClass)
  const source = path.join(fixtures, `animals-${sizes.findLast((size) => size >= perClass) ?? largest}`)
  const isWanted = (file: string): boolean => Number(/-(\d+)\.jpeg$/.exec(file)?.[1] ?? 0) <= perClass
  await cp(source, folder, { recursive: true, filter: (file) => path.basename(file) !== STAMP_FILE && isWanted(file) })
  const stamp = JSON.parse(await readFile(path.join(source, STAMP_FILE), 'utf8')) as object
  await writeFile(path.join(folder, STAMP_FILE), JSON.stringify({ ...stamp, perClass }))
  return draw(folder, perClass)
}

/** A folder that the first process that needs it makes. Of two processes that make it at the same time, the second takes the folder of the first. */
async function fixture(folder: string, make: (folder: string) => Promise<unknown>): Promise<string> {
  if (existsSync(folder)) return folder
  const own = await mkdtemp(`${folder}-`)
  await make(own)
  try {
    await rename(own, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
    await rm(own, { recursive: true })
  }
  return folder
}

export async function summaryOf(runFolder: string): Promise<Summary> {
  return summarySchema.parse(JSON.parse(await readFile(path.join(runFolder, 'summary.json'), 'utf8')))
}

/** Reason why tests of the native engine are skipped here; false if it is installed. `npm test` installs it first if it can. */
export const withoutNative = nativeAvailable() ? false : 'the native engine is not installed: run `npx herd setup`'
