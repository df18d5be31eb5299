/**
 * Adds `count` floats, four at a time: left += right.
 * @param left address of the first operand, which becomes the sum
 * @param right address of the second operand
 */
export function add(count: i32, left: usize, right: usize): void {
  const bytes = <usize>count << 2
  const bytesOfFours = bytes & ~15
  let i: usize = 0
  for (; i < bytesOfFours; i += 16) v128.store(left + i, f32x4.add(v128.load(left + i), v128.load(right + i)))
  for (; i < bytes; i += 4) store<f32>(left + i, load<f32>(left + i) + load<f32>(right + i))
}

/**
 * Sums the squares of `count` floats in float64, in the order of `plainSumOfSquares` in shared/vectors/vectors.ts: four partial sums, each of
 * every fourth square.
 * @param values address of the floats
 */
export function squares(count: i32, values: usize): f64 {
  const bytes = <usize>count << 2
  const bytesOfFours = bytes & ~15
  let low = f64x2.splat(0)
  let high = f64x2.splat(0)
  let i: usize = 0
  for (; i < bytesOfFours; i += 16) {
    const four = v128.load(values + i)
    const first = f64x2.promote_low_f32x4(four)
    const second = f64x2.promote_low_f32x4(i8x16.shuffle(four, four, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15))
    low = f64x2.add(low, f64x2.mul(first, first))
    high = f64x2.add(high, f64x2.mul(second, second))
  }
  let sum0 = f64x2.extract_lane(low, 0)
  for (; i < bytes; i += 4) {
    const value = <f64>load<f32>(values + i)
    sum0 += value * value
  }
  return sum0 + f64x2.extract_lane(low, 1) + (f64x2.extract_lane(high, 0) + f64x2.extract_lane(high, 1))
}
