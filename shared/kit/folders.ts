import { mkdir, stat } from 'node:fs/promises'
import path from 'node:path'

/**
 * Makes a folder and those above it that are missing. Recursive mkdir of Node.js would never return where a file system answers each attempt with
 * ENOENT, as /proc does, and gives a wrong reason on a file system that is read-only (issues 27198 and 42808 of Node.js).
 * @param mode permissions of the folders that are made, before the umask
 * @throws the error of the file system for the first folder that cannot be made
 */
export async function makeFolders(folder: string, mode = 0o777): Promise<void> {
  try {
    await mkdir(folder, { mode })
  } catch (error) {
    const parent = path.dirname(folder)
    if (codeOf(error) === 'ENOENT' && parent !== folder) {
      await makeFolders(parent, mode)
      await mkdir(folder, { mode }).catch((again: unknown) => requireFolder(folder, again))
    } else await requireFolder(folder, error)
  }
}

/** Returns if the folder is there after all: it was, or another process has made it. @throws the error otherwise */
async function requireFolder(folder: string, error: unknown): Promise<void> {
  const isThere = codeOf(error) === 'EEXIST' && (await stat(folder).catch(() => undefined))?.isDirectory()
  if (isThere !== true) throw error
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
