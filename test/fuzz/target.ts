import type { KeyedRandom } from '../../shared/random/philox.ts'

/** What is attacked. */
export interface Target {
  port: number
  metricsPort: number
  /** Metadata of a call with the coordinator's token. */
  token: string
  /** The numerics fingerprint of the workers that take part. */
  fingerprint: string
}

/**
 * One case of an attack: throws some messages at the target, and leaves nothing open.
 * @returns how many messages were sent
 */
export type Attack = (target: Target, random: KeyedRandom) => Promise<number>

export function bytesOf(random: KeyedRandom, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)))
}
