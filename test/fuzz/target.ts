import type { KeyedRandom } from '../../shared/random/philox.ts'

/** The coordinator that is attacked. */
export interface Target {
  port: number
  metricsPort: number
  /** Value of a call's metadata `authorization`, with the coordinator's token. */
  token: string
  /** The numerics fingerprint of the workers that take part. */
  fingerprint: string
}

/**
 * One case of an attack: sends some messages to the target, and leaves no connection open.
 * @returns number of messages sent
 */
export type Attack = (target: Target, random: KeyedRandom) => Promise<number>

export function bytesOf(random: KeyedRandom, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)))
}
