import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { EngineKind, Numerics, Precision } from '../engine/engine.ts'
import { computeEnvironment } from '../engine/native.ts'
import { messageOf } from '../kit/errors.ts'
import { nodeArguments } from '../kit/node_process.ts'
import { programFile } from '../kit/project.ts'
import { measurementSchema, type PrecisionMeasurement, type PrecisionSettings } from './precision_protocol.ts'

/** Least ratio of bf16's speed to f32's at which bf16 is chosen: a smaller gain is not worth the rounding, and could be noise of the measurement. */
export const BF16_MARGIN = 1.2

/** The precision that `--precision auto` stands for on this machine. */
export interface ChosenPrecision {
  precision: Precision
  /** Speed of bf16 divided by that of f32; undefined if they were not or could not be measured. */
  ratio: number | undefined
  /** Explanation for the user. */
  reason: string
}

/**
 * Measures how much faster bf16 computes than f32 on this machine. It takes a second or two after TensorFlow's start, and longer if bf16
 * is emulated. Never rejects: a failure is part of the result.
 * @param settings the run's number of threads, and its GPU if it has one
 */
export async function measurePrecision(settings: PrecisionSettings): Promise<PrecisionMeasurement> {
  const { threads, gpu } = settings
  const args = [...nodeArguments(programFile('precision')), JSON.stringify(settings)]
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...process.env, ...computeEnvironment({ threads, gpu }) } })
    return measurementSchema.parse(JSON.parse(stdout))
  } catch (error) {
    return { failure: messageOf(error) }
  }
}

/**
 * Chooses bf16 if it is faster than f32 by `BF16_MARGIN`. This is measured on the machine, not looked up in a table of processors.
 * @param run the run's engine and numerics
 * @param measure called only if there is a choice, which neither wasm nor portable numerics have
 */
export async function choosePrecision({ engine, numerics }: { engine: EngineKind; numerics: Numerics }, measure: () => Promise<PrecisionMeasurement>): Promise<ChosenPrecision> {
  if (engine === 'wasm') return { precision: 'f32', ratio: undefined, reason: 'wasm computes in float32 only' }
  if (numerics === 'portable') return { precision: 'f32', ratio: undefined, reason: '--numerics portable computes in float32 only' }
  const measurement = await measure()
  if ('failure' in measurement) return { precision: 'f32', ratio: undefined, reason: `bf16 could not be measured (${measurement.failure})` }
  const { ratio } = measurement
  return { precision: ratio >= BF16_MARGIN ? 'bf16' : 'f32', ratio, reason: `measured on this machine, bf16 has ${ratio.toFixed(2)} times the speed of f32, and is taken from ${BF16_MARGIN} times on` }
}
