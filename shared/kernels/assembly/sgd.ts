/**
 * Inner loop of SGD, four elements at a time. The operations and their order are those of `stepSgdViews` in
 * shared/optim/sgd.ts, each rounded to float32, so both give the same bits.
 */

/**
 * Steps `count` elements of vectors, which may begin at any address; the new state may be in the old one's memory.
 * @param sum address of the gradient, summed over the batch
 * @param vectors address of four u32 addresses: parameters and momentum of the old state, then of the new one
 * @param coefficients address of seven f32 values, in the order of `stepSgdViews`
 */
export function step(count: i32, sum: usize, vectors: usize, coefficients: usize): void {
  const p = <usize>load<u32>(vectors)
  const b = <usize>load<u32>(vectors, 4)
  const pNext = <usize>load<u32>(vectors, 8)
  const bNext = <usize>load<u32>(vectors, 12)
  const samples = load<f32>(coefficients)
  const scale = load<f32>(coefficients, 4)
  const decay = load<f32>(coefficients, 8)
  const momentum = load<f32>(coefficients, 12)
  const ofGradient = load<f32>(coefficients, 16)
  const ofMomentum = load<f32>(coefficients, 20)
  const rate = load<f32>(coefficients, 24)
  const sampless = f32x4.splat(samples)
  const scales = f32x4.splat(scale)
  const decays = f32x4.splat(decay)
  const momentums = f32x4.splat(momentum)
  const ofGradients = f32x4.splat(ofGradient)
  const ofMomentums = f32x4.splat(ofMomentum)
  const rates = f32x4.splat(rate)
  const bytes = <usize>count << 2
  const bytesOfFours = bytes & ~15
  let i: usize = 0
  for (; i < bytesOfFours; i += 16) {
    const pi = v128.load(p + i)
    const g = f32x4.add(f32x4.mul(f32x4.div(v128.load(sum + i), sampless), scales), f32x4.mul(decays, pi))
    const bi = f32x4.add(f32x4.mul(momentums, v128.load(b + i)), g)
    const direction = f32x4.add(f32x4.mul(ofGradients, g), f32x4.mul(ofMomentums, bi))
    v128.store(bNext + i, bi)
    v128.store(pNext + i, f32x4.sub(pi, f32x4.mul(rates, direction)))
  }
  for (; i < bytes; i += 4) {
    const pi = load<f32>(p + i)
    const g = (load<f32>(sum + i) / samples) * scale + decay * pi
    const bi = momentum * load<f32>(b + i) + g
    const direction = ofGradient * g + ofMomentum * bi
    store<f32>(bNext + i, bi)
    store<f32>(pNext + i, pi - rate * direction)
  }
}
