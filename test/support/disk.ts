import { execFile, execFileSync } from 'node:child_process'
import { mkdir, statfs, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** Reason why this machine cannot limit the size of a process's files; false if it can. */
export const withoutFileLimits = works('prlimit', '--version') ? false : 'prlimit (util-linux) is not here'

/**
 * Limits the size that files of a running process may reach, as `ulimit -f` does: writing beyond it fails with EFBIG, since
 * Node ignores the signal. Unlike a full disk, this needs no privilege.
 * @param bytes undefined to lift the limit
 */
export async function limitFileSize(pid: number, bytes: number | undefined): Promise<void> {
  await execute('prlimit', ['--pid', String(pid), `--fsize=${bytes ?? 'unlimited'}:unlimited`])
}

/** A small disk, in the memory of this machine. */
export interface SmallDisk {
  folder: string
  /** Fills the disk. @returns a function that makes the room free again */
  fill(): Promise<() => Promise<void>>
  /** Remounts the disk, read-only or writable. */
  setReadOnly(readOnly: boolean): Promise<void>
  unmount(): Promise<void>
}

/** Mounts a tmpfs. @returns the disk, or the reason why this user cannot mount one */
export async function mountSmallDisk(folder: string, kilobytes: number): Promise<SmallDisk | string> {
  await mkdir(folder, { recursive: true })
  try {
    await execute('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', folder])
  } catch (error) {
    return `a tmpfs cannot be mounted here: ${error instanceof Error ? error.message.trim().split('\n').at(-1) : String(error)}`
  }
  const ballast = path.join(folder, 'ballast')
  return {
    folder,
    fill: async () => {
      const { bavail, bsize } = await statfs(folder)
      await writeFile(ballast, Buffer.alloc(bavail * bsize))
      return () => execute('rm', [ballast]).then(() => undefined)
    },
    setReadOnly: async (readOnly) => {
      await execute('mount', ['-o', `remount,${readOnly ? 'ro' : 'rw'}`, folder])
    },
    unmount: async () => {
      await execute('umount', ['-l', folder])
    },
  }
}

function works(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
