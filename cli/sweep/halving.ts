/** Returns how many of so many trials go on after a rung: at least one. */
export function countKept(trials: number, keep: number): number {
  return Math.max(1, Math.round(trials * keep))
}

/**
 * Chooses the trials that go on after a rung: the best ones, of equal ones the first.
 * @param scores of each trial, higher is better; undefined for a trial that failed, which never goes on
 * @returns their places, ascending
 */
export function survivors(scores: readonly (number | undefined)[], keep: number): number[] {
  const ranked = scores.flatMap((score, place) => (score === undefined ? [] : [{ score, place }])).sort((a, b) => b.score - a.score || a.place - b.place)
  return ranked.slice(0, countKept(scores.length, keep)).map(({ place }) => place).sort((a, b) => a - b)
}

/**
 * Counts the epochs that a sweep trains in all, for its progress.
 * @param epochs of each trial
 * @param runs of each trial
 * @param halving null: all of them are trained to their end
 */
export function countEpochs(epochs: readonly number[], runs: number, halving: { epochs: readonly number[]; keep: number } | null): number {
  if (halving === null) return runs * epochs.reduce((sum, each) => sum + each, 0)
  let going = epochs.length
  let sum = 0
  let before = 0
  for (const rung of [...halving.epochs, epochs[0]]) {
    sum += going * runs * (rung - before)
    going = countKept(going, halving.keep)
    before = rung
  }
  return sum
}
