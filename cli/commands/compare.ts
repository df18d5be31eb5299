import path from 'node:path'
import { comparePage, COLUMNS } from '../../live/report/compare.ts'
import { comparisonOf, type Comparison } from '../../live/report/comparison.ts'
import { readReported } from '../../live/report/reported.ts'
import { valueText } from '../../live/report/run_sections.ts'
import { flag, text } from '../../shared/command/options.ts'
import { UsageError } from '../../shared/kit/errors.ts'
import { makeFolders } from '../../shared/kit/folders.ts'
import { shownPath } from '../../shared/kit/paths.ts'
import { svgOf } from '../../shared/pictures/drawing.ts'
import { printable, shorten } from '../../shared/pictures/text.ts'
import { writeWhole } from '../../shared/run_folder/json_files.ts'
import { RunFolder } from '../../shared/run_folder/run_folder.ts'
import { commandOf } from '../command.ts'
import { print, printJson, tableOf } from '../output.ts'

/** Most runs that are compared: more curves could not be told apart. */
const MOST_RUNS = 24
const DEFAULT_OUT = 'compare.html'
/** Longest value of a recipe in the terminal's table, in characters; the page has whole ones. */
const LONGEST_VALUE = 32

/** `herd compare`: writes one page about several runs, and prints their figures. */
export const compareCommand = () =>
  commandOf({
    name: 'compare <run...>',
    argument: 'folders of runs',
    options: {
      out: text('<file>', `Page to write (default: ${DEFAULT_OUT}; with --json, none).`),
      json: flag('Print one JSON object, for machines.'),
    },
    examples: ['herd compare runs/first runs/second', 'herd compare runs/* --out runs/compare.html', 'herd compare runs/* --json'],
    async run({ out, json }, _notices, given) {
      if (given.length < 2 || given.length > MOST_RUNS) throw new UsageError(`${given.length} ${given.length === 1 ? 'folder' : 'folders'}: expected those of 2 to ${MOST_RUNS} runs.`)
      const clock = (): Date => new Date()
      const folders = await Promise.all(given.map((folder) => RunFolder.open(folder, clock, 'expected the folder of a run, e.g. runs/first.')))
      const reported = await Promise.all(folders.map((folder) => readReported(folder, clock(), { events: true })))
      const comparison = comparisonOf(reported)
      if (json) printJson(comparison)
      else tell(comparison)
      const file = out ?? (json ? undefined : DEFAULT_OUT)
      if (file === undefined) return true
      const page = await comparePage(comparison, reported, (drawing) => Promise.resolve(svgOf(drawing)), clock())
      await makeFolders(path.dirname(path.resolve(file)))
      await writeWhole(file, Buffer.from(page))
      if (!json) print(`\n${shownPath(file)}`)
      return true
    },
  })

/** Prints figures and differences for people. */
function tell({ runs, differences, sameWeights }: Comparison): void {
  const names = runs.map(({ name }) => printable(shorten(name, LONGEST_VALUE)))
  tableOf([['run', ...COLUMNS.map(({ name }) => name.toLowerCase())], ...runs.map((run, index) => [names[index], ...COLUMNS.map(({ text: textOf }) => textOf(run))])]).forEach(print)
  print('')
  if (differences.length === 0) print('Their recipes are the same.')
  else tableOf([['recipe', ...names], ...differences.map(({ key, values }) => [key, ...values.map((value) => shorten(valueText(value), LONGEST_VALUE))])]).forEach(print)
  for (const sentence of sameWeights) print(printable(sentence))
}
