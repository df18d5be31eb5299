/**
 * Inner loop of Adam and AdamW, four elements at a time. The operations and their order are those of `stepAdamViews` in
 * shared/optim/adam.ts, each rounded to float32, so both give the same bits.
 */

/**
 * Steps `count` elements of vectors, which may begin at any address; the new state may be in the old one's memory.
 * @param sum address of the gradient, summed over the batch
 * @param vectors address of six u32 addresses: parameters, m and v of the old state, then of the new one
 * @param coefficients address of ten f32 values, in the order of `stepAdamViews`
 */
export function step(count: i32, sum: usize, vectors: usize, coefficients: usize): void {
  const p = <usize>load<u32>(vectors)
  const m = <usize>load<u32>(vectors, 4)
  const v = <usize>load<u32>(vectors, 8)
  const pNext = <usize>load<u32>(vectors, 12)
  const mNext = <usize>load<u32>(vectors, 16)
  const vNext = <usize>load<u32>(vectors, 20)
  const samples = load<f32>(coefficients)
  const scale = load<f32>(coefficients, 4)
  const keep = load<f32>(coefficients, 8)
  const beta1 = load<f32>(coefficients, 12)
  const rest1 = load<f32>(coefficients, 16)
  const beta2 = load<f32>(coefficients, 20)
  const rest2 = load<f32>(coefficients, 24)
  const stepSize = load<f32>(coefficients, 28)
  const correction = load<f32>(coefficients, 32)
  const epsilon = load<f32>(coefficients, 36)
  const sampless = f32x4.splat(samples)
  const scales = f32x4.splat(scale)
  const keeps = f32x4.splat(keep)
  const beta1s = f32x4.splat(beta1)
  const rest1s = f32x4.splat(rest1)
  const beta2s = f32x4.splat(beta2)
  const rest2s = f32x4.splat(rest2)
  const stepSizes = f32x4.splat(stepSize)
  const corrections = f32x4.splat(correction)
  const epsilons = f32x4.splat(epsilon)
  const bytes = <usize>count << 2
  const bytesOfFours = bytes & ~15
  let i: usize = 0
  for (; i < bytesOfFours; i += 16) {
    const g = f32x4.mul(f32x4.div(v128.load(sum + i), sampless), scales)
    const mi = f32x4.add(f32x4.mul(beta1s, v128.load(m + i)), f32x4.mul(rest1s, g))
    const vi = f32x4.add(f32x4.mul(beta2s, v128.load(v + i)), f32x4.mul(rest2s, f32x4.mul(g, g)))
    const denominator = f32x4.add(f32x4.div(f32x4.sqrt(vi), corrections), epsilons)
    const next = f32x4.sub(f32x4.mul(keeps, v128.load(p + i)), f32x4.div(f32x4.mul(stepSizes, mi), denominator))
    v128.store(mNext + i, mi)
    v128.store(vNext + i, vi)
    v128.store(pNext + i, next)
  }
  for (; i < bytes; i += 4) {
    const g = (load<f32>(sum + i) / samples) * scale
    const mi = beta1 * load<f32>(m + i) + rest1 * g
    const vi = beta2 * load<f32>(v + i) + rest2 * (g * g)
    const denominator = sqrt<f32>(vi) / correction + epsilon
    const next = keep * load<f32>(p + i) - (stepSize * mi) / denominator
    store<f32>(mNext + i, mi)
    store<f32>(vNext + i, vi)
    store<f32>(pNext + i, next)
  }
}
