import { sumOfSquares } from './vectors.ts'

/** Finds the index of the first value that is NaN or infinite; undefined if all are finite. */
export function firstNotFinite(values: Float32Array): number | undefined {
  return Number.isFinite(sumOfSquares(values)) ? undefined : values.findIndex((value) => !Number.isFinite(value))
}
