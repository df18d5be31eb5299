import { classMetrics, meansOf } from '../../shared/evaluation/class_metrics.ts'
import { completed, unequalParts } from '../../shared/recipe/differences.ts'
import { knownRecipe } from '../../shared/recipe/stored.ts'
import type { RecipeKey } from '../../shared/recipe/table.ts'
import { sameWeights } from '../same_weights.ts'
import type { RunState } from '../view.ts'
import type { Reported } from './reported.ts'
import { bestOf, secondsOf } from './run_sections.ts'

/** The figures by which a run is compared with others; null: not known. */
export interface ComparedFigures {
  /** Name of the run's folder; the whole path if others have the same name. */
  name: string
  folder: string
  state: RunState
  epochs: number
  testAccuracy: number | null
  bestTestAccuracy: number | null
  bestEpoch: number | null
  /** Mean of the classes' F1, of the last evaluation. */
  macroF1: number | null
  testLoss: number | null
  trainLoss: number | null
  imagesPerSecond: number | null
  /** Seconds of training. */
  seconds: number
  workers: number | null
  /** Digest of the weights; null if the run has not finished. */
  digest: string | null
}

export interface Comparison {
  runs: ComparedFigures[]
  /** Parts of the recipe in which the runs are not alike, with the value of each run in their order; undefined: it is not known. */
  differences: { key: RecipeKey; values: unknown[] }[]
  /** Which runs have the same weights, a sentence for each group. */
  sameWeights: string[]
}

/** Compares runs by their files. */
export function comparisonOf(reported: readonly Reported[]): Comparison {
  const names = reported.map(({ view }) => view.facts.name)
  const recipes = reported.map(({ view }) => completed(knownRecipe(view.facts.recipe)))
  return {
    runs: reported.map((run) => {
      const { name, folder } = run.view.facts
      return figuresOf(run, names.filter((other) => other === name).length > 1 ? folder : name)
    }),
    differences: unequalParts(recipes).map((key) => ({ key, values: recipes.map((recipe) => recipe[key]) })),
    sameWeights: sameWeights(reported.map(({ view }) => view)),
  }
}

function figuresOf({ view }: Reported, name: string): ComparedFigures {
  const { facts, state, history, summary, evaluation } = view
  const last = history.at(-1)
  const best = bestOf(history)
  return {
    name, folder: facts.folder, state,
    epochs: last?.epoch ?? 0,
    testAccuracy: summary?.testAccuracy ?? last?.testAccuracy ?? null,
    bestTestAccuracy: best?.testAccuracy ?? null,
    bestEpoch: best?.epoch ?? null,
    macroF1: evaluation === null ? null : meansOf(classMetrics(evaluation, evaluation.classes.length)).macro.f1,
    testLoss: summary?.testLoss ?? last?.testLoss ?? null,
    trainLoss: summary?.trainLoss ?? last?.trainLoss ?? null,
    imagesPerSecond: summary?.imagesPerSecond ?? last?.imagesPerSecond ?? null,
    seconds: secondsOf(view),
    workers: summary?.workers ?? last?.workers ?? null,
    digest: summary?.digest ?? null,
  }
}
