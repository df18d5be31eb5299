import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import type { EngineKind, Precision } from '../engine/engine.ts'
import { computeEnvironment } from '../engine/native.ts'
import { messageOf } from '../kit/errors.ts'
import { nodeArguments } from '../kit/node_process.ts'
import { measurementSchema, type PrecisionMeasurement, type PrecisionSettings } from './precision_protocol.ts'

/** So many times faster than f32 bf16 must be: less is not worth its rounding, and could be the machine's noise. */
export const BF16_MARGIN = 1.2

/** What `--precision auto` has become. */
export interface ChosenPrecision {
  precision: Precision
  /** bf16's rate over f32's, where both could be measured. */
  ratio: number | undefined
  /** For people. */
  reason: string
}

/**
 * Measures how much faster bf16 computes than f32 on this machine: a second or two after TensorFlow's start, more where bf16 is emulated.
 * @param settings those of the run: one GPU, or threads of the processor
 */
export async function measurePrecision(settings: PrecisionSettings): Promise<PrecisionMeasurement> {
  const { threads, gpu } = settings
  const args = [...nodeArguments(path.join(import.meta.dirname, 'precision_main.js')), JSON.stringify(settings)]
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...process.env, ...computeEnvironment({ threads, gpu }) } })
    return measurementSchema.parse(JSON.parse(stdout))
  } catch (error) {
    return { failure: messageOf(error) }
  }
}

/**
 * The precision that is faster by a margin, as measured and never from a table of processors.
 * @param engine what the run computes with
 * @param measure only called where there is a choice
 */
export async function choosePrecision(engine: EngineKind, measure: () => Promise<PrecisionMeasurement>): Promise<ChosenPrecision> {
  if (engine === 'wasm') return { precision: 'f32', ratio: undefined, reason: 'wasm computes in float32 only' }
  const measurement = await measure()
  if ('failure' in measurement) return { precision: 'f32', ratio: undefined, reason: `bf16 could not be measured (${measurement.failure})` }
  const { ratio } = measurement
  return { precision: ratio >= BF16_MARGIN ? 'bf16' : 'f32', ratio, reason: `measured on this machine, bf16 has ${ratio.toFixed(2)} times the speed of f32, and is taken from ${BF16_MARGIN} times on` }
}
