/** Formats a number for people: with three significant digits, or as an integer from 1000 on. */
export function figure(value: number): string {
  return value >= 1000 ? value.toFixed(0) : value.toPrecision(3)
}
