import { readFileSync } from 'node:fs'

/** Reads the processor's extensions, by Linux's names, e.g. "avx2"; empty where the system does not tell. */
export function processorExtensions(): ReadonlySet<string> {
  try {
    return new Set(/^flags\s*: (.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1].split(' '))
  } catch {
    return new Set()
  }
}
