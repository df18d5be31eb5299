import { readFileSync } from 'node:fs'
import path from 'node:path'
import { ROOT } from '../kit/project.ts'

/**
 * The WebAssembly kernels: the loops whose plain TypeScript would take a noticeable part of a step. Each is compiled from
 * assembly/<name>.ts to <name>.wasm.
 */

/** WebAssembly memory is measured in pages, and has at most 4 GiB of them. */
const PAGE_BYTES = 65_536
export const MAX_PAGES = 65_536

/** Those whose memory grows, and views of it stay good. */
export const GROWING_KERNELS: readonly string[] = ['sum']

export function kernelFile(name: string): string {
  return path.join(ROOT, 'shared/kernels', `${name}.wasm`)
}

/** A kernel's functions, on memory of its own. */
export interface Kernel<Functions> {
  functions: Functions
  memory: WebAssembly.Memory
}

/**
 * Loads a kernel with at least so many bytes of memory, all zeros.
 * @returns undefined where it cannot be had: on a processor without SIMD for WebAssembly, for more than 4 GiB, or where a limit on
 *   virtual memory (`ulimit -v`) forbids the gigabytes of addresses that V8 sets aside. The plain TypeScript computes the same bits.
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

/** Makes a kernel's memory at least so many bytes; if it has to grow, every view of it is gone, but of a growing kernel's. */
export function growTo(memory: WebAssembly.Memory, bytes: number): void {
  const missing = bytes - memory.buffer.byteLength
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES))
}
