import { readFile } from 'node:fs/promises'

/** Process ids of the children of a process, by Linux's proc(5); none if the process has ended, or where there is no /proc. */
export async function childrenOf(pid: number | undefined): Promise<number[]> {
  const listed = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  return listed.split(' ').filter((text) => text.trim() !== '').map(Number)
}

/** Kills a process that may have ended by itself. */
export function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // The process has ended by itself.
  }
}
