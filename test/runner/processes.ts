import { readdirSync, readFileSync } from 'node:fs'

export interface ProcessEntry {
  pid: number
  parent: number
  command: string
}

/** All processes of this machine, from /proc; empty if there is no /proc. */
export function processesHere(): ProcessEntry[] {
  let names: string[]
  try {
    names = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  } catch {
    return []
  }
  return names.flatMap((name) => {
    try {
      const parent = Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1])
      return [{ pid: Number(name), parent, command: readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() }]
    } catch {
      return [] // The process has ended meanwhile.
    }
  })
}

/**
 * The process that the runner has started for a test file, and all its descendants, parents first.
 * @param file path at the end of the process's command line
 * @param runner process id of the runner
 */
export function treeOf(file: string, runner: number, all: readonly ProcessEntry[]): ProcessEntry[] {
  const tree = all.filter(({ parent, command }) => parent === runner && command.endsWith(file))
  for (const { pid } of tree) tree.push(...all.filter(({ parent }) => parent === pid))
  return tree
}
