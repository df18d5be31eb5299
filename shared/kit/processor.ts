import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

const INFORMATION = '/proc/cpuinfo'
const CACHES = '/sys/devices/system/cpu/cpu0/cache'

/** Reads the processor's extensions, by Linux's names, e.g. "avx2"; empty where the system does not tell. */
export function processorExtensions(): ReadonlySet<string> {
  return new Set(fieldOf(read(INFORMATION), 'flags')?.split(' '))
}

/** Describes the processor's kind by what its maker calls it, e.g. "AuthenticAMD family 25 model 1": several have the same name. Empty where the system does not tell. */
export function processorKind(): string {
  const information = read(INFORMATION)
  const [maker, family, model] = ['vendor_id', 'cpu family', 'model'].map((name) => fieldOf(information, name))
  return maker === undefined ? '' : `${maker} family ${family ?? '?'} model ${model ?? '?'}`
}

/** Reads the sizes of the first core's caches of data, e.g. ["L1 32K", "L2 512K", "L3 32768K"]; empty where the system does not tell. */
export function processorCaches(): string[] {
  const caches = namesIn(CACHES).filter((name) => name.startsWith('index')).sort().map((name) => ['level', 'type', 'size'].map((file) => read(path.join(CACHES, name, file)).trim()))
  return caches.filter(([, type]) => type !== 'Instruction').map(([level, , size]) => `L${level} ${size}`)
}

function fieldOf(information: string, name: string): string | undefined {
  return new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(information)?.[1]
}

/** Reads a file of the system; empty where it has none, or nobody may read it. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
