/** Number of test images of the class `label` that were taken for the class `predicted`. */
export type Cell = [label: number, predicted: number, count: number]

/** Test images by their true and their predicted class, in one of two forms. */
export interface Confused {
  /** Counts, [true class][predicted class]; empty if there are more than `MOST_IN_MATRIX` classes. */
  confusion: readonly (readonly number[])[]
  /** Counts above zero, if there are more classes: thousands of classes would make a matrix that no memory holds. */
  cells?: readonly Cell[] | undefined
}

/** Most classes of which the whole matrix is kept. */
export const MOST_IN_MATRIX = 100

/** Counts predictions. @param classes number of classes */
export function countPredictions(predictions: readonly { label: number; predicted: number }[], classes: number): { confusion: number[][]; cells?: Cell[] } {
  if (classes <= MOST_IN_MATRIX) {
    const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0))
    for (const { label, predicted } of predictions) confusion[label][predicted]++
    return { confusion }
  }
  const counts = new Map<number, number>()
  for (const { label, predicted } of predictions) {
    const place = label * classes + predicted
    counts.set(place, (counts.get(place) ?? 0) + 1)
  }
  const cells = [...counts].sort(([a], [b]) => a - b).map(([place, count]): Cell => [Math.floor(place / classes), place % classes, count])
  return { confusion: [], cells }
}

/** Lists the counts above zero, by true class and then by predicted class. */
export function cellsOf({ confusion, cells }: Confused): readonly Cell[] {
  return cells ?? confusion.flatMap((row, label) => row.flatMap((count, predicted): Cell[] => (count > 0 ? [[label, predicted, count]] : [])))
}

/** Sums up the images of each class, and those of them that are classified correctly. @param classes number of classes */
export function resultsByClass(confused: Confused, classes: number): { images: number; correct: number }[] {
  const results = Array.from({ length: classes }, () => ({ images: 0, correct: 0 }))
  for (const [label, predicted, count] of cellsOf(confused)) {
    results[label].images += count
    if (label === predicted) results[label].correct += count
  }
  return results
}

/**
 * Picks the classes that are confused most, so that a picture of them can be read: those with the most images that are taken for another class, or
 * that others are taken for.
 * @param classes number of classes
 * @param limit most classes to pick
 * @returns their indices, ascending
 */
export function mostConfused(confused: Confused, classes: number, limit: number): number[] {
  const mistakes = new Array<number>(classes).fill(0)
  for (const [label, predicted, count] of cellsOf(confused)) {
    if (label === predicted) continue
    mistakes[label] += count
    mistakes[predicted] += count
  }
  return [...mistakes.keys()].sort((a, b) => mistakes[b] - mistakes[a] || a - b).slice(0, limit).sort((a, b) => a - b)
}

/** Cuts the matrix of some classes out of the whole. @param labels indices of the classes */
export function partOf(confused: Confused, labels: readonly number[]): number[][] {
  const places = new Map(labels.map((label, index) => [label, index]))
  const part = labels.map(() => labels.map(() => 0))
  for (const [label, predicted, count] of cellsOf(confused)) {
    const [row, column] = [places.get(label), places.get(predicted)]
    if (row !== undefined && column !== undefined) part[row][column] = count
  }
  return part
}
