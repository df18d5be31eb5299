import { sumOfSquares } from './vectors.ts'

/** Index of the first value that is NaN or infinite; undefined where all are finite. */
export function firstNotFinite(values: Float32Array): number | undefined {
  return Number.isFinite(sumOfSquares(values)) ? undefined : values.findIndex((value) => !Number.isFinite(value))
}
