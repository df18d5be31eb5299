import { randomUUID } from 'node:crypto'
import { copyFile, lstat, rename, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import * as z from 'zod'
import { SETUP_NOTE } from '../../shared/engine/native.ts'
import { makeFolders } from '../../shared/kit/folders.ts'
import { writeAtomically } from '../../shared/kit/atomic_file.ts'
import { ADDON_FILE, ADDON_PATH, LIBRARY_LINKS } from './addon.ts'
import { fileSize, filesBelow, readJson } from './cache.ts'
import { type Verified } from './verify.ts'

/** File in the package that records that the engine was put there and seen to work. Written last, removed first. */
const STAMP = SETUP_NOTE

const stampSchema = z.object({
  format: z.literal(1),
  /** Origin of the engine; 'installer' is the package's own installer, 'found' an engine that was there before Herd came. */
  source: z.enum(['wheel', 'found', 'installer']),
  /** Hash of what was asked for; it changes with the release of TensorFlow, tfjs-node or Node. */
  key: z.string(),
  tensorflow: z.string(),
  /** sha256 of the wheels that it is from; absent if it is from elsewhere, or was put there by an older Herd. */
  wheels: z.array(z.string()).optional(),
  usesGpu: z.boolean(),
  /** Files with their sizes, following links, so that an emptied cache is noticed. */
  files: z.array(z.object({ path: z.string(), bytes: z.number() })),
})
export type Stamp = z.infer<typeof stampSchema>

/** The stamp of an engine that is in place, whole and made for `key`; else undefined. Reads sizes only. */
export async function stampInPlace(packageFolder: string, key: string): Promise<Stamp | undefined> {
  const stamp = await readJson(join(packageFolder, STAMP), stampSchema)
  if (stamp === undefined || stamp.key !== key) return undefined
  for (const file of stamp.files) {
    if ((await fileSize(join(packageFolder, file.path))) !== file.bytes) return undefined
  }
  return stamp
}

/** Writes the stamp, which records that the engine works. */
export async function writeStamp(
  packageFolder: string,
  key: string,
  source: Stamp['source'],
  verified: Verified,
  wheels: string[] | undefined,
): Promise<void> {
  const paths = [ADDON_PATH, ...(await libraryPaths(packageFolder))]
  const files: Stamp['files'] = []
  for (const path of paths) {
    const bytes = await fileSize(join(packageFolder, path))
    if (bytes !== undefined) files.push({ path, bytes })
  }
  const stamp: Stamp = { format: 1, source, key, ...verified, ...(wheels === undefined ? {} : { wheels }), files }
  await makeFolders(join(packageFolder, 'deps'))
  await writeAtomically(join(packageFolder, STAMP), [JSON.stringify(stamp, undefined, 1)])
}

async function libraryPaths(packageFolder: string): Promise<string[]> {
  const paths: string[] = []
  for (const name of Object.keys(LIBRARY_LINKS)) {
    const path = join('deps', 'lib', name)
    if ((await fileSize(join(packageFolder, path))) !== undefined) paths.push(path)
  }
  return paths
}

/**
 * Puts the engine into the package: links to the cached libraries, and a copy of the addon (which finds the links through
 * its own rpath, $ORIGIN/../../deps/lib). Each file appears by a rename, so that a process that has the old file
 * loaded keeps it.
 *
 * CUDA's libraries are linked beside TensorFlow's: the rpaths of all of them begin with $ORIGIN, so they find each other
 * without LD_LIBRARY_PATH. TensorFlow looks for ptxas and libdevice at ../nvidia/cuda_nvcc from there.
 * @param wheelFolders the unpacked wheels, TensorFlow's first
 */
export async function linkIntoPackage(packageFolder: string, wheelFolders: string[], addonFolder: string): Promise<void> {
  await rm(join(packageFolder, STAMP), { force: true })
  const tensorflowFolder = wheelFolders[0]
  for (const [link, library] of Object.entries(LIBRARY_LINKS)) {
    await replaceByLink(join(packageFolder, 'deps', 'lib', link), join(tensorflowFolder, 'tensorflow', library))
  }
  for (const folder of wheelFolders.slice(1)) {
    for (const path of await filesBelow(join(folder, 'nvidia'))) {
      const link = linkOfCudaFile(path)
      if (link !== undefined) await replaceByLink(join(packageFolder, 'deps', link), join(folder, 'nvidia', path))
    }
  }
  await replaceFile(join(packageFolder, ADDON_PATH), (temporary) => copyFile(join(addonFolder, ADDON_FILE), temporary))
}

/** Path below `deps` at which a file of a CUDA wheel ("cublas/lib/libcublas.so.12") is linked; undefined if nothing needs it. */
function linkOfCudaFile(path: string): string | undefined {
  if (/^[^/]+\/lib\/[^/]+\.so[.\d]*$/.test(path)) return join('lib', basename(path))
  if (/^cuda_nvcc\/(bin|nvvm)\//.test(path)) return join('nvidia', path)
  return undefined
}

/** Takes the engine out of the package again. */
export async function removeFromPackage(packageFolder: string): Promise<void> {
  await rm(join(packageFolder, STAMP), { force: true })
  await rm(join(packageFolder, 'deps'), { recursive: true, force: true })
  await rm(join(packageFolder, 'lib'), { recursive: true, force: true })
}

async function replaceByLink(path: string, target: string): Promise<void> {
  await lstat(target)
  await replaceFile(path, (temporary) => symlink(target, temporary))
}

async function replaceFile(path: string, create: (temporary: string) => Promise<void>): Promise<void> {
  await makeFolders(dirname(path))
  const temporary = `${path}.${randomUUID()}`
  try {
    await create(temporary)
    await rename(temporary, path)
  } finally {
    await rm(temporary, { force: true })
  }
}
