import { ranked, trialResult } from '../../../../cli/sweep/results.ts'
import type { HistoryLine } from '../../../../shared/run_folder/schemas.ts'
import type { Sweep } from '../../../../shared/run_folder/sweep.ts'

/** A history with these accuracies after its epochs, each of which takes a second; its losses are what is missing to 1. */
export function historyOf(accuracies: readonly number[]): HistoryLine[] {
  return accuracies.map((testAccuracy, index) => ({
    epoch: index + 1, step: index + 1, skippedSteps: 0, trainLoss: 1, trainAccuracy: 0.5, testLoss: 1 - testAccuracy, testAccuracy, learningRate: 0.1, images: 4, seconds: 1, imagesPerSecond: 4, workers: 1,
  }))
}

/** Accuracies of two seeds of each trial, from number 1 on; none: it failed. */
const TRAINED: readonly (readonly (readonly number[])[])[] = [[[0.1, 0.2, 0.5], [0.2, 0.3, 0.5]], [[0.1], [0.1]], [[0.2, 0.3, 0.6], [0.2, 0.5, 0.8]], [[], []], [[0.1, 0.2], [0.1, 0.2]]]
const HALTED = [2, 5]

/** A finished sweep of five trials: two were trained to their end, two halted, one failed. */
export function sweepOf(change: Partial<Sweep> = {}): Sweep {
  const trials = TRAINED.map((seeds, index) => {
    const number = index + 1
    const settings = { lr: number / 100, optimizer: number % 2 === 0 ? { name: 'adam' } : { name: 'adamw', weightDecay: 0.1 } }
    const runs = seeds.map((accuracies, seed) => ({ seed, folder: `trials/${number}/seed-${seed}`, history: historyOf(accuracies), state: accuracies.length === 0 ? ('failed' as const) : ('finished' as const), ...(accuracies.length === 0 ? { reason: 'exit code 1' } : {}) }))
    return trialResult({ number, settings, recipe: {}, epochs: 3 }, runs, 'accuracy', HALTED.includes(number))
  })
  return {
    name: 'lr', state: 'finished', data: { folder: '/data', training: 100, validation: 25, heldOut: 30, testFraction: 0.2, validationShare: 0.2 }, measure: 'accuracy', parts: ['lr', 'optimizer'], seeds: [0, 1],
    halving: { epochs: [1, 2], keep: 0.5 }, trials: ranked(trials, 'accuracy'), ...change,
  }
}

/** Histories of its runs, by their folders. */
export function historiesOf(): Map<string, HistoryLine[]> {
  return new Map(TRAINED.flatMap((seeds, index) => seeds.map((accuracies, seed) => [`trials/${index + 1}/seed-${seed}`, historyOf(accuracies)] as const)))
}
