import { readFileSync } from 'node:fs'

/** The processor's extensions by the names that Linux gives them, e.g. "avx2"; none where the system does not tell. */
export function processorExtensions(): ReadonlySet<string> {
  try {
    return new Set(/^flags\s*: (.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1].split(' '))
  } catch {
    return new Set()
  }
}
