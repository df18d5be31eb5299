/** A number for people: with three digits, or as a whole number where it has more. */
export function figure(value: number): string {
  return value >= 1000 ? value.toFixed(0) : value.toPrecision(3)
}
