/** left += right for `count` floats, four at a time. */
export function add(count: i32, left: usize, right: usize): void {
  const bytes = <usize>count << 2
  const bytesOfFours = bytes & ~15
  let i: usize = 0
  for (; i < bytesOfFours; i += 16) v128.store(left + i, f32x4.add(v128.load(left + i), v128.load(right + i)))
  for (; i < bytes; i += 4) store<f32>(left + i, load<f32>(left + i) + load<f32>(right + i))
}
