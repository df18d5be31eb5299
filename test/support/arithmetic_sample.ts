import { createHash } from 'node:crypto'
import { createEngine } from '../../shared/engine/create.ts'
import { numericsFingerprint } from '../../shared/engine/fingerprint.ts'
import { cosineOfAngle } from '../../shared/kit/cosine.ts'
import { exponentialOf, logarithmOf, powerOf } from '../../shared/kit/exponential.ts'
import { KeyedRandom, Purpose } from '../../shared/random/philox.ts'

/** A small part of each arithmetic that a run's result depends on: what JavaScript computes, and the wasm engine's gradient. */
export async function arithmeticSample(): Promise<Record<string, string>> {
  const random = new KeyedRandom(2, Purpose.draw)
  const shares = Float64Array.from({ length: 2000 }, () => random.uniform())
  const digestOf = (values: Float64Array): string => createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex')
  return {
    cosine: digestOf(shares.map((share) => cosineOfAngle(2 * Math.PI * share))),
    exponential: digestOf(shares.map((share) => exponentialOf(-40 * share))),
    logarithm: digestOf(shares.map(logarithmOf)),
    powers: digestOf(shares.map((share, index) => powerOf(share, index))),
    gradient: await numericsFingerprint((problem) => createEngine(problem, { engine: 'wasm', precision: 'f32', threads: 1, numerics: 'portable', gpu: undefined })),
  }
}

if (process.argv[1] === import.meta.filename) process.stdout.write(JSON.stringify(await arithmeticSample()))
