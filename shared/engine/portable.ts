import type { Precision } from './engine.ts'

/** What a user may ask for beside `--numerics portable`. */
export interface BesidePortable {
  precision: Precision | 'auto'
  threads: number
  /** True if a GPU is asked for. */
  onGpu: boolean
}

/**
 * Says why portable numerics cannot be computed so: kernels for bf16 differ between processors; and several threads share out the sum of a matrix product,
 * by the processor's caches and number of cores.
 * @returns a message with what to do; undefined if they can
 */
export function portableObstacle({ precision, threads, onGpu }: BesidePortable): string | undefined {
  if (onGpu) return '--numerics portable computes on the CPU: leave --gpu out, or take --numerics native.'
  if (precision === 'bf16') return '--numerics portable computes in float32: leave --precision bf16 out, or take --numerics native.'
  if (threads !== 1) return `--numerics portable computes with one thread: leave --threads ${threads} out, or take --numerics native. More cores are used by more workers.`
  return undefined
}
