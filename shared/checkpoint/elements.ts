/** Types of elements that weights can be read from, under the names of safetensors, each with the bytes of an element. */
export const floatTypes = { F32: 4, F16: 2, BF16: 2, F64: 8 } as const
export type FloatType = keyof typeof floatTypes

/** True if weights can be read from elements of this type. */
export function isFloatType(dtype: string): dtype is FloatType {
  return Object.hasOwn(floatTypes, dtype)
}

/**
 * Converts elements to float32: exactly, except for float64, which is rounded to the nearest.
 * @param bytes little-endian, a whole number of elements
 * @returns a copy
 */
export function floatsFrom(dtype: FloatType, bytes: Buffer): Float32Array {
  const count = bytes.length / floatTypes[dtype]
  const values = new Float32Array(count)
  const bits = new Uint32Array(values.buffer)
  switch (dtype) {
    case 'F32':
      Buffer.from(values.buffer).set(bytes)
      break
    case 'F64':
      for (let i = 0; i < count; i++) values[i] = bytes.readDoubleLE(i * 8)
      break
    case 'BF16':
      for (let i = 0; i < count; i++) bits[i] = bytes.readUInt16LE(i * 2) << 16
      break
    case 'F16':
      for (let i = 0; i < count; i++) values[i] = halfValue(bytes.readUInt16LE(i * 2))
      break
  }
  return values
}

/** Value of a float16: a sign, 5 bits of exponent with a bias of 15, and 10 bits of fraction. */
function halfValue(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >> 10) & 31
  const fraction = half & 1023
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN
  return sign * (1024 + fraction) * 2 ** (exponent - 25)
}
