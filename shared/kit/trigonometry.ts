/**
 * Sine and cosine in plain sums and products, which IEEE 754 fixes to the bit: Math.sin and Math.cos are each JavaScript engine's own.
 * Taylor series, whose next terms are below 1e-17.
 */

/** @param x radians, at most pi/4 from 0 */
export function sineOf(x: number): number {
  const z = x * x
  let sum = 0
  for (let n = 17; n >= 3; n -= 2) sum = (-z / (n * (n - 1))) * (1 + sum)
  return x + x * sum
}

/** @param x radians, at most pi/4 from 0 */
export function cosineOf(x: number): number {
  const z = x * x
  let sum = 0
  for (let n = 18; n >= 2; n -= 2) sum = (-z / (n * (n - 1))) * (1 + sum)
  return 1 + sum
}

/** Cosine over half a turn. @param share of it, from 0 to 1: the result falls from 1 to -1 */
export function cosineOfHalfTurn(share: number): number {
  if (share <= 0.25) return cosineOf(Math.PI * share)
  if (share < 0.75) return -sineOf(Math.PI * (share - 0.5))
  return -cosineOf(Math.PI * (1 - share))
}
