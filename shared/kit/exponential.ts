/**
 * Exponential, logarithm and power from sums, products and quotients alone, whose bits IEEE 754 fixes. Those of Math.exp, Math.log and ** depend on
 * the JavaScript engine, and on the processor it was compiled for: one with fused products rounds them once instead of twice.
 *
 * The first two are e_exp.c and e_log.c of fdlibm, operation by operation, so they return what Math.exp and Math.log of Node.js on x86-64 return:
 *
 * Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved. Developed at SunSoft, a Sun Microsystems, Inc. business.
 * Permission to use, copy, modify, and distribute this software is freely granted, provided that this notice is preserved.
 */

/** The 64 bits of a double. */
const bits = new DataView(new ArrayBuffer(8))

const LN2_HIGH = 6.93147180369123816490e-1
const LN2_LOW = 1.90821492927058770002e-10
const ONE_OVER_LN2 = 1.44269504088896338700

/** Limits by which the argument is reduced, as fdlibm's comparisons of high words have them: about ln(2) / 2 and ln(2) * 3 / 2. */
const HALF_LN2 = doubleOf(0x3fd62e43)
const THREE_HALVES_LN2 = doubleOf(0x3ff0a2b2)
/** Below this, the exponential is less than half of the smallest double. */
const LEAST_EXPONENT = -7.45133219101941108420e2
const TINY = 2 ** -28
const [P1, P2, P3, P4, P5] = [1.66666666666666019037e-1, -2.77777777770155933842e-3, 6.61375632143793436117e-5, -1.65339022054652515390e-6, 4.13813679705723846039e-8]

/** Returns the double whose upper 32 bits are these, and whose lower ones are zero. */
function doubleOf(high: number): number {
  bits.setUint32(0, high)
  bits.setUint32(4, 0)
  return bits.getFloat64(0)
}

/**
 * Computes e^x.
 * @param x at most 0, as the exponents of a softmax are; or NaN, of which it is NaN
 */
export function exponentialOf(x: number): number {
  if (x < LEAST_EXPONENT) return 0
  const size = Math.abs(x)
  if (size < TINY) return 1 + x
  // e^x = 2^k e^r with |r| <= ln(2) / 2, where r = high - low.
  const k = size < HALF_LN2 ? 0 : size < THREE_HALVES_LN2 ? -1 : Math.trunc(ONE_OVER_LN2 * x - 0.5)
  const high = x - k * LN2_HIGH
  const low = k * LN2_LOW
  const r = high - low
  const square = r * r
  const c = r - square * (P1 + square * (P2 + square * (P3 + square * (P4 + square * P5))))
  if (k === 0) return 1 - ((r * c) / (c - 2) - r)
  const y = 1 - (low - (r * c) / (2 - c) - high)
  return k >= -1021 ? y * doubleOf((1023 + k) << 20) : y * doubleOf((2023 + k) << 20) * doubleOf(23 << 20)
}

const [L1, L3, L5, L7] = [6.666666666666735130e-1, 2.857142874366239149e-1, 1.818357216161805012e-1, 1.479819860511658591e-1]
const [L2, L4, L6] = [3.999999999940941908e-1, 2.222219843214978396e-1, 1.531383769920937332e-1]
const LEAST_NORMAL = 2 ** -1022
const TWO_54 = 2 ** 54

/**
 * Computes the natural logarithm.
 * @param x above 0, or NaN, of which it is NaN
 */
export function logarithmOf(x: number): number {
  if (!(x < Infinity)) return x
  const subnormal = x < LEAST_NORMAL
  bits.setFloat64(0, subnormal ? x * TWO_54 : x)
  const word = bits.getUint32(0)
  // x = 2^k (1 + f) with sqrt(2) / 2 < 1 + f < sqrt(2).
  const mantissa = word & 0xfffff
  const upper = (mantissa + 0x95f64) & 0x100000
  bits.setUint32(0, mantissa | (upper ^ 0x3ff00000))
  const k = (word >>> 20) - 1023 + (upper >>> 20) - (subnormal ? 54 : 0)
  const f = bits.getFloat64(0) - 1
  const high = k * LN2_HIGH
  const low = k * LN2_LOW
  if ((0xfffff & (2 + mantissa)) < 3) {
    if (f === 0) return high + low
    const rest = f * f * (0.5 - 0.33333333333333333 * f)
    return k === 0 ? f - rest : high - (rest - low - f)
  }
  const s = f / (2 + f)
  const z = s * s
  const w = z * z
  const rest = z * (L1 + w * (L3 + w * (L5 + w * L7))) + w * (L2 + w * (L4 + w * L6))
  if (((mantissa - 0x6147a) | (0x6b851 - mantissa)) <= 0) return k === 0 ? f - s * (f - rest) : high - (s * (f - rest) - low - f)
  const half = 0.5 * f * f
  return k === 0 ? f - (half - s * (half + rest)) : high - (half - (s * (half + rest) + low) - f)
}

/** A number of about 106 bits, as the sum of two doubles. */
type Pair = readonly [high: number, low: number]

const SPLITTER = 2 ** 27 + 1

/** Splits a double into two of 26 bits each. */
function halves(x: number): Pair {
  const product = SPLITTER * x
  const high = product - (product - x)
  return [high, x - high]
}

/** Multiplies two pairs, by Dekker's product: the rounding error of the highs' product is itself a double. */
function product([a, aLow]: Pair, [b, bLow]: Pair): Pair {
  const [a1, a2] = halves(a)
  const [b1, b2] = halves(b)
  const high = a * b
  const low = a1 * b1 - high + a1 * b2 + a2 * b1 + a2 * b2 + (a * bLow + aLow * b)
  const sum = high + low
  return [sum, high - sum + low]
}

/**
 * Computes base^exponent, by squares in twice the precision, so that the result is rounded once.
 * @param base from 0 to 1
 * @param exponent whole, at least 0
 */
export function powerOf(base: number, exponent: number): number {
  let power: Pair = [1, 0]
  let square: Pair = [base, 0]
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power = product(power, square)
    square = product(square, square)
  }
  return power[0]
}
