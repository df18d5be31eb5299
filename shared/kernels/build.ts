import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import asc from 'assemblyscript/asc'
import { GROWING_KERNELS, kernelFile, MAX_PAGES } from './kernel.ts'
import { ROOT } from '../kit/project.ts'

/** Compiler of the kernels, run by `npm run build:kernels`. Its output is committed, so that installing Herd builds nothing. */

const SOURCES = path.join(ROOT, 'shared/kernels/assembly')

/** Compiler options without a runtime: a kernel has no heap of its own and works in the memory that it is given. */
const OPTIONS = ['--optimizeLevel', '3', '--noAssert', '--enable', 'simd', '--runtime', 'stub', '--importMemory', '--noExportMemory']

/** Compiler options of kernels whose memory grows. For views to stay valid meanwhile, WebAssembly requires a memory that threads could share. */
const GROWING_OPTIONS = ['--enable', 'threads', '--sharedMemory', '--maximumMemory', String(MAX_PAGES)]

/** Names of the kernels, sorted: each source file in assembly/ is one. */
export function kernelNames(): string[] {
  return readdirSync(SOURCES).filter((file) => file.endsWith('.ts')).map((file) => path.basename(file, '.ts')).sort()
}

/**
 * Compiles one kernel from assembly/<name>.ts. The same compiler version gives the same bytes.
 * @throws Error with the compiler's messages if the source does not compile
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
