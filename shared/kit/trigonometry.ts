/**
 * Sine and cosine from sums and products alone, whose bits IEEE 754 fixes; the bits of Math.sin and Math.cos depend on the JavaScript engine.
 * The Taylor series are cut where the next terms are below 1e-17.
 */

/**
 * Computes the sine.
 * @param x radians, from -pi/4 to pi/4
 */
export function sineOf(x: number): number {
  const z = x * x
  let sum = 0
  for (let n = 17; n >= 3; n -= 2) sum = (-z / (n * (n - 1))) * (1 + sum)
  return x + x * sum
}

/**
 * Computes the cosine.
 * @param x radians, from -pi/4 to pi/4
 */
export function cosineOf(x: number): number {
  const z = x * x
  let sum = 0
  for (let n = 18; n >= 2; n -= 2) sum = (-z / (n * (n - 1))) * (1 + sum)
  return 1 + sum
}

/**
 * Computes the cosine over half a turn.
 * @param share fraction of the half turn, from 0 to 1: the result falls from 1 to -1
 */
export function cosineOfHalfTurn(share: number): number {
  if (share <= 0.25) return cosineOf(Math.PI * share)
  if (share < 0.75) return -sineOf(Math.PI * (share - 0.5))
  return -cosineOf(Math.PI * (1 - share))
}
