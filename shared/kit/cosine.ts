/**
 * The cosine from sums and products alone, whose bits IEEE 754 fixes; those of Math.cos depend on the JavaScript engine, and on the processor it was compiled for.
 *
 * It is s_cos.c, k_cos.c, k_sin.c and e_rem_pio2.c of fdlibm, operation by operation, so it returns what Math.cos of Node.js on x86-64 returns:
 *
 * Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved. Developed at SunSoft, a Sun Microsystems, Inc. business.
 * Permission to use, copy, modify, and distribute this software is freely granted, provided that this notice is preserved.
 */

const view = new DataView(new ArrayBuffer(8))

/** Upper 32 bits of a double: sign, exponent, and a part of the digits. */
function highWord(x: number): number {
  view.setFloat64(0, x)
  return view.getUint32(0)
}

/** A remainder with twice the digits, as the sum of two doubles. */
type Remainder = readonly [high: number, low: number]

const TWO_OVER_PI = 6.36619772367581382433e-1
/** Half of pi in parts of 33 bits, each with the rest of it. */
const PARTS = [[1.57079632673412561417, 6.07710050650619224932e-11], [6.07710050630396597660e-11, 2.02226624879595063154e-21], [2.02226624871116645580e-21, 8.47842766036889956997e-32]] as const
/** Upper halves of pi / 4 and 3 pi / 4, and of the multiples of pi / 2, near which digits cancel. */
const QUARTER = 0x3fe921fb
const THREE_QUARTERS = 0x4002d97c
const MULTIPLES = [0x3ff921fb, 0x400921fb, 0x4012d97c, 0x401921fb]

/**
 * Computes the cosine.
 * @param x radians, from 0 to 2 pi
 */
export function cosineOfAngle(x: number): number {
  const word = highWord(x)
  if (word <= QUARTER) return kernelCosine(x, 0)
  const [quadrant, [high, low]] = word < THREE_QUARTERS ? ([1, besideHalfPi(x, word)] as const) : remainder(x, word)
  switch (quadrant & 3) {
    case 0:
      return kernelCosine(high, low)
    case 1:
      return -kernelSine(high, low)
    case 2:
      return -kernelCosine(high, low)
    default:
      return kernelSine(high, low)
  }
}

/** Subtracts half of pi. */
function besideHalfPi(x: number, word: number): Remainder {
  const isNear = word === MULTIPLES[0]
  const z = isNear ? x - PARTS[0][0] - PARTS[1][0] : x - PARTS[0][0]
  const tail = isNear ? PARTS[1][1] : PARTS[0][1]
  const high = z - tail
  return [high, z - high - tail]
}

/** Subtracts the nearest multiple of pi / 2, with more of its digits the more of x's cancel. */
function remainder(x: number, word: number): readonly [quadrant: number, Remainder] {
  const quadrant = Math.trunc(x * TWO_OVER_PI + 0.5)
  let r = x - quadrant * PARTS[0][0]
  let w = quadrant * PARTS[0][1]
  let high = r - w
  const cancelled = (): number => (word >>> 20) - ((highWord(high) >>> 20) & 0x7ff)
  for (const [part, least] of [[1, 16], [2, 49]] as const) {
    if (word !== MULTIPLES[quadrant - 1] || cancelled() <= least) break
    const before = r
    w = quadrant * PARTS[part][0]
    r = before - w
    w = quadrant * PARTS[part][1] - (before - r - w)
    high = r - w
  }
  return [quadrant, [high, r - high - w]]
}

/** Cosine of a remainder from -pi/4 to pi/4. */
function kernelCosine(x: number, low: number): number {
  const word = highWord(x) & 0x7fffffff
  if (word < 0x3e400000) return 1
  const z = x * x
  const r = z * (4.16666666666666019037e-2 + z * (-1.38888888888741095749e-3 + z * (2.48015872894767294178e-5 + z * (-2.75573143513906633035e-7 + z * (2.08757232129817482790e-9 + z * -1.13596475577881948265e-11)))))
  if (word < 0x3fd33333) return 1 - (0.5 * z - (z * r - x * low))
  view.setUint32(0, word - 0x00200000)
  view.setUint32(4, 0)
  const quarter = word > 0x3fe90000 ? 0.28125 : view.getFloat64(0)
  return 1 - quarter - (0.5 * z - quarter - (z * r - x * low))
}

/** Sine of a remainder from -pi/4 to pi/4. */
function kernelSine(x: number, low: number): number {
  if ((highWord(x) & 0x7fffffff) < 0x3e400000) return x
  const z = x * x
  const v = z * x
  const r = 8.33333333332248946124e-3 + z * (-1.98412698298579493134e-4 + z * (2.75573137070700676789e-6 + z * (-2.50507602534068634195e-8 + z * 1.58969099521155010221e-10)))
  return x - (z * (0.5 * low - v * r) - low - v * -1.66666666666666324348e-1)
}
