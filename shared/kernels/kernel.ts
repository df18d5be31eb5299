import { readFileSync } from 'node:fs'
import path from 'node:path'
import { ROOT } from '../kit/project.ts'

/** The WebAssembly kernels: loops that would take a noticeable part of a step in plain TypeScript. Each is compiled from assembly/<name>.ts to <name>.wasm. */

/** Size of a WebAssembly page. A memory has at most 65,536 pages, 4 GiB. */
const PAGE_BYTES = 65_536
export const MAX_PAGES = 65_536

/** Kernels whose memory grows while views of it stay valid. */
export const GROWING_KERNELS: readonly string[] = ['sum']

export function kernelFile(name: string): string {
  return path.join(ROOT, 'shared/kernels', `${name}.wasm`)
}

/** A kernel's functions and the memory that they work in. */
export interface Kernel<Functions> {
  functions: Functions
  memory: WebAssembly.Memory
}

/**
 * Loads a kernel with memory of its own, filled with zeros.
 * @param bytes least size of the memory
 * @returns undefined if the kernel cannot be used: the processor has no SIMD for WebAssembly, `bytes` exceeds 4 GiB, or a limit on virtual
 *   memory (`ulimit -v`) forbids the gigabytes of addresses that V8 reserves. Plain TypeScript then computes the same bits.
 */
export function loadKernel<Functions>(name: string, bytes: number): Kernel<Functions> | undefined {
  const code = readFileSync(kernelFile(name))
  if (!WebAssembly.validate(code)) return undefined
  const memory = allocate(Math.ceil(bytes / PAGE_BYTES), GROWING_KERNELS.includes(name))
  if (memory === undefined) return undefined
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } })
  return { functions: exports as Functions, memory }
}

function allocate(pages: number, grows: boolean): WebAssembly.Memory | undefined {
  if (pages > MAX_PAGES) return undefined
  try {
    return new WebAssembly.Memory(grows ? { initial: pages, maximum: MAX_PAGES, shared: true } : { initial: pages })
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/**
 * Grows a kernel's memory to at least this many bytes. If it has to grow, all views of it become invalid, except those of a growing kernel
 * (`GROWING_KERNELS`).
 * @throws RangeError if the memory cannot grow so far
 */
export function growTo(memory: WebAssembly.Memory, bytes: number): void {
  const missing = bytes - memory.buffer.byteLength
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES))
}
