import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'

/** A path beside `path` for the half-written file. One process writes a folder, so a file that a crash left is overwritten by the next. */
export function temporaryBeside(path: string): string {
  const absolute = resolve(path)
  return join(dirname(absolute), `.${basename(absolute)}.${process.pid}.tmp`)
}

/** Makes a rename or a link inside the folder durable; where a folder cannot be synchronised (Windows), there is nothing to do. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Writes the parts one after the other so that `file` is at any moment either the old file or the whole new one, also
 * after a power cut: temporary file beside it, fsync, rename, fsync of the folder. Large parts are not concatenated
 * (write-file-atomic would need them in one buffer); they must not change before the promise resolves.
 */
export async function writeAtomically(file: string, parts: readonly Uint8Array[]): Promise<void> {
  const temporary = temporaryBeside(file)
  try {
    const handle = await open(temporary, 'w')
    try {
      for (const part of parts) await handle.writeFile(part)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(dirname(resolve(file)))
}
