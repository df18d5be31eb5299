import { cellsOf, type Confused } from './confusion.ts'

/**
 * Precision, recall and their harmonic mean F1, each from 0 to 1. They are those of scikit-learn's `precision_recall_fscore_support` with `zero_division=0`:
 * a figure that would divide by zero is 0.
 */
export interface Figures {
  /** Share of the images taken for the class that are of it. */
  precision: number
  /** Share of the class's images that are taken for it. */
  recall: number
  f1: number
}

export interface ClassMetrics extends Figures {
  /** Test images of the class. */
  images: number
  /** Test images that are taken for the class. */
  predicted: number
  correct: number
}

/** Computes the figures of each class from the counts. @param classes number of classes */
export function classMetrics(confused: Confused, classes: number): ClassMetrics[] {
  const counts = Array.from({ length: classes }, () => ({ images: 0, predicted: 0, correct: 0 }))
  for (const [label, predicted, count] of cellsOf(confused)) {
    counts[label].images += count
    counts[predicted].predicted += count
    if (label === predicted) counts[label].correct += count
  }
  return counts.map((each) => {
    const { images, predicted, correct } = each
    return { ...each, precision: quotient(correct, predicted), recall: quotient(correct, images), f1: quotient(2 * correct, images + predicted) }
  })
}

/** Means over all classes: `macro` counts each class alike, `weighted` by its number of images. */
export function meansOf(metrics: readonly ClassMetrics[]): { macro: Figures; weighted: Figures } {
  const mean = (weight: (each: ClassMetrics) => number): Figures => {
    const all = metrics.reduce((sum, each) => sum + weight(each), 0)
    const of = (figure: keyof Figures): number => quotient(metrics.reduce((sum, each) => sum + weight(each) * each[figure], 0), all)
    return { precision: of('precision'), recall: of('recall'), f1: of('f1') }
  }
  return { macro: mean(() => 1), weighted: mean(({ images }) => images) }
}

function quotient(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}
