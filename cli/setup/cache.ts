import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { makeFolders } from '../../shared/kit/folders.ts'
import { cacheFolder } from '../../shared/kit/paths.ts'

/**
 * The native engine's part of the user's cache. Each entry is a folder that appears whole, by a rename, and never
 * changes afterwards; its manifest lists its files. Whatever is under construction is in `staging/`.
 */
export interface NativeCache {
  folder: string
  /** Working folders; every one in it belongs to the holder of the lock, or to a process that died. */
  staging: string
}

const MANIFEST = 'manifest.json'
const manifestSchema = z.object({
  format: z.literal(1),
  files: z.array(z.object({ path: z.string(), bytes: z.number() })),
})

/** The engine's part of the user's cache, or of the one that HERD_CACHE names. */
export function nativeCache(environment: NodeJS.ProcessEnv): NativeCache {
  return cachePart('native', environment)
}

/** A part of the cache that is kept in the same way. */
export function cachePart(name: string, environment: NodeJS.ProcessEnv): NativeCache {
  const folder = join(cacheFolder(environment), name)
  return { folder, staging: join(folder, 'staging') }
}

/** The entry's folder if it is there and whole (every file has the size that its manifest states), else undefined. */
export async function cachedEntry(cache: NativeCache, name: string): Promise<string | undefined> {
  const folder = join(cache.folder, name)
  const manifest = await readManifest(folder)
  if (manifest === undefined) return undefined
  for (const file of manifest.files) {
    const size = await fileSize(join(folder, file.path))
    if (size !== file.bytes) return undefined
  }
  return folder
}

/**
 * Builds an entry and publishes it under its name, in place of a damaged one. The caller holds the cache's lock.
 * @param build fills the folder that it is given; when it throws, nothing is left behind
 * @returns the entry's folder
 */
export async function buildEntry(cache: NativeCache, name: string, build: (folder: string) => Promise<void>): Promise<string> {
  return inStaging(cache, async (working) => {
    const folder = join(working, 'entry')
    await mkdir(folder)
    await build(folder)
    const paths = await filesBelow(folder)
    const files = await Promise.all(paths.map(async (path) => ({ path, bytes: (await stat(join(folder, path))).size })))
    await writeFile(join(folder, MANIFEST), JSON.stringify({ format: 1, files }, undefined, 1))
    const target = join(cache.folder, name)
    await rm(target, { recursive: true, force: true })
    await rename(folder, target)
    return target
  })
}

/** Calls `work` with an empty folder that is gone afterwards, whatever happens. */
export async function inStaging<T>(cache: NativeCache, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = join(cache.staging, randomUUID())
  await makeFolders(folder)
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Removes the staging folder with everything that killed processes left under construction. The caller holds the cache's lock. */
export async function sweepStaging(cache: NativeCache): Promise<void> {
  await rm(cache.staging, { recursive: true, force: true })
}

/** Paths, relative to the folder and in a fixed order, of the files below it. */
export async function filesBelow(folder: string): Promise<string[]> {
  if (!existsSync(folder)) return []
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()
}

/** Size of a file in bytes, following links; undefined if it is not there. */
export async function fileSize(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** The content of a JSON file if it is there and fits the schema, else undefined: even files written by Herd are never trusted blindly. */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  try {
    return schema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

function readManifest(folder: string): Promise<z.infer<typeof manifestSchema> | undefined> {
  return readJson(join(folder, MANIFEST), manifestSchema)
}

function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ENOENT' || code === 'ENOTDIR'
}
