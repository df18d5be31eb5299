import { z } from 'zod'
import { sha256Of } from '../kit/sha256.ts'
import { bytesOf } from '../kit/floats.ts'

/** Says after which steps a run notes its digests: every so many, and at the end of each epoch. */
export const auditedStepsSchema = z.object({ every: z.int().min(1), stepsPerEpoch: z.int().min(1) })
export type AuditedSteps = z.infer<typeof auditedStepsSchema>

/**
 * True if digests are noted after a step: of the gradient of each of its lanes, and of the weights that it leads to.
 * @param step number of steps taken before it
 */
export function isAudited({ every, stepsPerEpoch }: AuditedSteps, step: number): boolean {
  return (step + 1) % every === 0 || (step + 1) % stepsPerEpoch === 0
}

/** Bytes of a lane's digest: enough that nobody finds another gradient with the same one, and a third less to keep. */
const LANE_DIGEST_BYTES = 20
export const laneDigestSchema = z.string().regex(/^[0-9a-f]{40}$/)

/**
 * Hashes the gradient of a lane, before it is rounded for the wire or added to others.
 * @returns the first 20 bytes of the sha256 over the vector as little-endian float32, in hexadecimal
 */
export function laneDigest(gradient: Float32Array): string {
  return sha256Of(bytesOf(gradient)).slice(0, 2 * LANE_DIGEST_BYTES)
}
