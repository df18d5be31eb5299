import type { Likely } from '../shared/evaluation/probabilities.ts'
import { printable } from '../shared/pictures/text.ts'
import { csvLine, percent } from './output.ts'

/** A form in which predictions are printed, a line for each image. */
export interface PredictionLines {
  /** First line, before all images; undefined if there is none. */
  readonly header: string | undefined
  /** @param top classes, the likeliest first */
  classified(path: string, top: readonly Likely[]): string
  /** @returns undefined if this form has no line for an image that could not be read */
  failed(path: string, problem: string): string | undefined
}

/** Formats predictions for people to read. @param width characters to which paths are padded, so that the columns after them line up */
export function plainLines(width: number): PredictionLines {
  return {
    header: undefined,
    classified: (path, top) => `${printable(path).padEnd(width)}  ${top.map(({ name, probability }) => `${name} ${percent(probability)}`).join('  ')}`,
    failed: () => undefined,
  }
}

/** One JSON object a line. */
export const jsonPredictions: PredictionLines = {
  header: undefined,
  classified: (path, top) => JSON.stringify({ image: path, ...top[0], top }),
  failed: (path, problem) => JSON.stringify({ image: path, error: problem }),
}

/** Comma-separated values by RFC 4180 with a line of headings: the image, what is wrong with it, then class, name and probability of the `top` likeliest. */
export function csvPredictions(top: number): PredictionLines {
  const headings = Array.from({ length: top }, (_, rank) => ['class', 'name', 'probability'].map((heading) => (rank === 0 ? heading : `${heading}_${rank + 1}`)))
  return {
    header: csvLine(['image', 'error', ...headings.flat()]),
    classified: (path, likely) => csvLine([path, '', ...likely.flatMap(({ class: folder, name, probability }) => [folder, name, String(probability)])]),
    failed: (path, problem) => csvLine([path, problem, ...headings.flat().map(() => '')]),
  }
}
