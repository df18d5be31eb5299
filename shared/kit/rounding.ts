/** Rounds to the nearest whole number as Python's round() does: a half goes to the even neighbour. */
export function roundToEven(x: number): number {
  const below = Math.floor(x)
  const rest = x - below
  return rest < 0.5 || (rest === 0.5 && below % 2 === 0) ? below : below + 1
}
