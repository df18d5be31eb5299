/**
 * Adam's inner loop, four elements at a time. The operations and their order are those of `stepViews` in
 * shared/optim/adam.ts, each rounded to float32, so both give the same bits.
 */

/**
 * Steps `count` elements of vectors that may begin anywhere; the new state may be the old one's memory.
 * @param sum gradient, summed over `samples` samples
 * @param p parameters, with moments m and v; pNext, mNext and vNext take the new ones
 */
export function step(
  count: i32, sum: usize, p: usize, m: usize, v: usize, pNext: usize, mNext: usize, vNext: usize,
  beta1: f32, rest1: f32, beta2: f32, rest2: f32, stepSize: f32, correction: f32, epsilon: f32, samples: f32,
): void {
  const beta1s = f32x4.splat(beta1)
  const rest1s = f32x4.splat(rest1)
  const beta2s = f32x4.splat(beta2)
  const rest2s = f32x4.splat(rest2)
  const stepSizes = f32x4.splat(stepSize)
  const corrections = f32x4.splat(correction)
  const epsilons = f32x4.splat(epsilon)
  const sampless = f32x4.splat(samples)
  const bytes = <usize>count << 2
  const bytesOfFours = bytes & ~15
  let i: usize = 0
  for (; i < bytesOfFours; i += 16) {
    const g = f32x4.div(v128.load(sum + i), sampless)
    const mi = f32x4.add(f32x4.mul(beta1s, v128.load(m + i)), f32x4.mul(rest1s, g))
    const vi = f32x4.add(f32x4.mul(beta2s, v128.load(v + i)), f32x4.mul(rest2s, f32x4.mul(g, g)))
    const denominator = f32x4.add(f32x4.div(f32x4.sqrt(vi), corrections), epsilons)
    const next = f32x4.sub(v128.load(p + i), f32x4.div(f32x4.mul(stepSizes, mi), denominator))
    v128.store(mNext + i, mi)
    v128.store(vNext + i, vi)
    v128.store(pNext + i, next)
  }
  for (; i < bytes; i += 4) {
    const g = load<f32>(sum + i) / samples
    const mi = beta1 * load<f32>(m + i) + rest1 * g
    const vi = beta2 * load<f32>(v + i) + rest2 * (g * g)
    const denominator = sqrt<f32>(vi) / correction + epsilon
    const next = load<f32>(p + i) - (stepSize * mi) / denominator
    store<f32>(mNext + i, mi)
    store<f32>(vNext + i, vi)
    store<f32>(pNext + i, next)
  }
}
