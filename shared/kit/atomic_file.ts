import { open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'

/** What writing a file whole asks of a disk. */
export interface Disk {
  /** @param flags 'w' to write a file anew, 'r' for a folder */
  open(path: string, flags: 'w' | 'r'): Promise<{ writeFile(data: Uint8Array | string): Promise<void>; sync(): Promise<void>; close(): Promise<void> }>
  rename(from: string, to: string): Promise<void>
  rm(path: string, options: { force: true }): Promise<void>
}

const realDisk: Disk = { open, rename, rm }

const TEMPORARY = /^\..+\.\d+-\d+\.tmp$/

/** One process may write the same file twice at a time. */
let count = 0

/** A path beside `path` for the half-written file. A crash can leave it: whoever opens the folder next removes it. */
export function temporaryBeside(path: string): string {
  const absolute = resolve(path)
  return join(dirname(absolute), `.${basename(absolute)}.${process.pid}-${++count}.tmp`)
}

/** Whether a file's name is that of a half-written one. */
export function isTemporary(name: string): boolean {
  return TEMPORARY.test(name)
}

/**
 * Removes what a crash left of half-written files. Call it only where no other process writes into the folder.
 * @returns their names
 */
export async function removeTemporaries(folder: string): Promise<string[]> {
  const names = (await readdir(folder).catch(() => [] as string[])).filter(isTemporary)
  for (const name of names) await rm(join(folder, name), { force: true })
  return names
}

/** Makes a rename or a link inside the folder durable; where a folder cannot be synchronised (Windows), there is nothing to do. */
export async function syncFolder(folder: string, disk: Disk = realDisk): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await disk.open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Writes the parts one after the other so that `file` is at any moment either the old file or the whole new one, also
 * after a power cut: temporary file beside it, fsync, rename, fsync of the folder. (The package write-file-atomic needs all in
 * one buffer, does not synchronise the folder, and takes the short write of a disk that fills up for a whole one.)
 * @param parts must not change before the promise resolves
 * @param options.durable false for what can be had again: nothing is synchronised, and a power cut may lose it
 */
export async function writeAtomically(file: string, parts: readonly (Uint8Array | string)[], { durable = true, disk = realDisk }: { durable?: boolean; disk?: Disk } = {}): Promise<void> {
  const temporary = temporaryBeside(file)
  try {
    const handle = await disk.open(temporary, 'w')
    try {
      for (const part of parts) await handle.writeFile(part)
      if (durable) await handle.sync()
    } finally {
      await handle.close()
    }
    await disk.rename(temporary, file)
  } catch (error) {
    // The first error says why; where the file cannot be removed either, the next start does it.
    await disk.rm(temporary, { force: true }).catch(() => undefined)
    throw error
  }
  if (durable) await syncFolder(dirname(resolve(file)), disk)
}
