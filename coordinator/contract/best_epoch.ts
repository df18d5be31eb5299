/** Test accuracy by epoch, from 0 to 1, in the order of epochs. */
export type Accuracies = ReadonlyMap<number, number>

/** The epoch with the highest test accuracy. */
export interface BestEpoch {
  epoch: number
  accuracy: number
  /** True if no epoch was tested after it. */
  isLast: boolean
}

/** Returns the epoch with the highest accuracy among those up to `until`, the first of several; undefined if there is none. */
export function bestEpoch(accuracies: Accuracies, until = Number.POSITIVE_INFINITY): number | undefined {
  let best: number | undefined
  let highest = Number.NEGATIVE_INFINITY
  for (const [epoch, accuracy] of accuracies) if (epoch <= until && accuracy > highest) [best, highest] = [epoch, accuracy]
  return best
}

/**
 * Decides whether a run that stops early has no epoch after `epoch`. The epoch's own result is not asked, since it is computed while the next one is
 * trained: so the decision is the same whoever computes it, and when.
 * @param patience number of epochs without a better one after which the run stops; null for a run that does not stop early
 */
export function stopsAfter(epoch: number, accuracies: Accuracies, patience: number | null): boolean {
  const known = epoch - 1
  const best = bestEpoch(accuracies, known)
  return patience !== null && best !== undefined && known - best >= patience
}
