import { open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'

/** The operations of a disk that writing a file atomically needs. */
export interface Disk {
  /** @param flags 'w' to write a new file, 'r' for a folder */
  open(path: string, flags: 'w' | 'r'): Promise<{ writeFile(data: Uint8Array | string): Promise<void>; sync(): Promise<void>; close(): Promise<void> }>
  rename(from: string, to: string): Promise<void>
  rm(path: string, options: { force: true }): Promise<void>
}

/** Parts of a file's content. */
type Parts = Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>

const realDisk: Disk = { open, rename, rm }

const TEMPORARY = /^\..+\.\d+-\d+\.tmp$/

/** Counter that tells temporary files apart if one process writes the same file twice at the same time. */
let count = 0

/** Makes up a new path in the same folder for the half-written file. A crash can leave such a file behind; `removeTemporaries` removes it. */
export function temporaryBeside(path: string): string {
  const absolute = resolve(path)
  return join(dirname(absolute), `.${basename(absolute)}.${process.pid}-${++count}.tmp`)
}

/** True if a file's name is that of a half-written file (see `temporaryBeside`). */
export function isTemporary(name: string): boolean {
  return TEMPORARY.test(name)
}

/**
 * Removes half-written files that a crash left behind. It must be called only if no other process writes into the folder.
 * @returns the names of the removed files
 */
export async function removeTemporaries(folder: string): Promise<string[]> {
  const names = (await readdir(folder).catch(() => [] as string[])).filter(isTemporary)
  for (const name of names) await rm(join(folder, name), { force: true })
  return names
}

/** Makes renames and links inside a folder durable. Does nothing on Windows, where a folder cannot be synchronised. */
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
 * Writes a file atomically: at any moment, and after a power cut too, `file` is either the old file or the whole new one. The steps are a
 * temporary file beside it, fsync, rename, and fsync of the folder. (The package write-file-atomic needs the content in one buffer, does not
 * synchronise the folder, and mistakes the short write of a disk that fills up for a whole one.)
 * @param parts written one after the other, as they come; they must not change before the promise settles
 * @param options.durable false for content that can be made again: nothing is synchronised, and a power cut may lose it
 * @throws the error of the file system; the old file is then intact
 */
export async function writeAtomically(file: string, parts: Parts, { durable = true, disk = realDisk }: { durable?: boolean; disk?: Disk } = {}): Promise<void> {
  const temporary = temporaryBeside(file)
  try {
    const handle = await disk.open(temporary, 'w')
    try {
      for await (const part of parts) await handle.writeFile(part)
      if (durable) await handle.sync()
    } finally {
      await handle.close()
    }
    await disk.rename(temporary, file)
  } catch (error) {
    // The first error is the one to report. A file that cannot be removed now is removed at the next start.
    await disk.rm(temporary, { force: true }).catch(() => undefined)
    throw error
  }
  if (durable) await syncFolder(dirname(resolve(file)), disk)
}
