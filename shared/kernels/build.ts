import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import asc from 'assemblyscript/asc'
import { GROWING_KERNELS, kernelFile, MAX_PAGES } from './kernel.ts'
import { ROOT } from '../kit/project.ts'

/**
 * Compiles the kernels: `npm run build:kernels`. What it writes is committed, so that installing Herd builds nothing.
 */

const SOURCES = path.join(ROOT, 'shared/kernels/assembly')

/** No runtime: a kernel has no heap of its own and works on whatever memory it is given. */
const OPTIONS = ['--optimizeLevel', '3', '--noAssert', '--enable', 'simd', '--runtime', 'stub', '--importMemory', '--noExportMemory']

/** A memory that grows while views of it are in use has to be one that several threads could share. */
const GROWING_OPTIONS = ['--enable', 'threads', '--sharedMemory', '--maximumMemory', String(MAX_PAGES)]

/** Names of the kernels: whatever has a source. */
export function kernelNames(): string[] {
  return readdirSync(SOURCES).filter((file) => file.endsWith('.ts')).map((file) => path.basename(file, '.ts')).sort()
}

/**
 * Compiles one kernel from assembly/<name>.ts; the same compiler gives the same bytes.
 * @throws Error with the compiler's messages.
 */
export async function compileKernel(name: string): Promise<Uint8Array> {
  const outFile = `${name}.wasm`
  const output = new Map<string, string | Uint8Array>()
  const { error, stderr } = await asc.main([`${name}.ts`, '--baseDir', SOURCES, '--outFile', outFile, ...OPTIONS, ...(GROWING_KERNELS.includes(name) ? GROWING_OPTIONS : [])], {
    writeFile: (file, contents) => void output.set(file, contents),
  })
  const code = output.get(outFile)
  if (error !== null || !(code instanceof Uint8Array)) throw new Error(`the kernel ${name} does not compile: ${stderr.toString()}`)
  return code
}

if (process.argv[1] === import.meta.filename) {
  for (const name of kernelNames()) {
    const code = await compileKernel(name)
    await writeFile(kernelFile(name), code)
    process.stdout.write(`${name}: ${code.length} bytes\n`)
  }
}
