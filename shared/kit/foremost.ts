/**
 * Picks the items with the highest scores without sorting all of them, of which there may be millions.
 * @param count most items to pick
 * @returns the items, highest score first; of equal scores, the one that came first
 */
export function foremost<T>(items: Iterable<T>, count: number, score: (item: T) => number): T[] {
  const kept: { item: T; score: number }[] = []
  for (const item of items) {
    const own = score(item)
    if (kept.length === count && !(own > (kept.at(-1)?.score ?? Infinity))) continue
    const place = kept.findIndex((other) => own > other.score)
    kept.splice(place === -1 ? kept.length : place, 0, { item, score: own })
    if (kept.length > count) kept.pop()
  }
  return kept.map(({ item }) => item)
}
