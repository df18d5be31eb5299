/** Index of the first value that is NaN or infinite; undefined where all are finite. */
export function firstNotFinite(values: Float32Array): number | undefined {
  return allFinite(values) ? undefined : values.findIndex((value) => !Number.isFinite(value))
}

/** A finite value times zero is zero, any other is NaN, and NaN stays in a sum. Four sums, since each waits for its last addition. */
function allFinite(values: Float32Array): boolean {
  let sum0 = 0
  let sum1 = 0
  let sum2 = 0
  let sum3 = 0
  const wholeFours = values.length & ~3
  let i = 0
  for (; i < wholeFours; i += 4) {
    sum0 += values[i] * 0
    sum1 += values[i + 1] * 0
    sum2 += values[i + 2] * 0
    sum3 += values[i + 3] * 0
  }
  for (; i < values.length; i++) sum0 += values[i] * 0
  return sum0 + sum1 + sum2 + sum3 === 0
}
