import type { ComparedFigure } from '../../shared/pictures/compared.ts'
import { counted, dateAndTime, duration, figure, integer, NOTHING, percent, speed } from '../page/format.ts'
import type { ComparedFigures, Comparison } from './comparison.ts'
import { drawn, html, named, section, table, type Html } from './html.ts'
import { pageOf } from './page.ts'
import type { Reported } from './reported.ts'
import { valueText } from './run_sections.ts'
import type { Draw } from './test_sections.ts'

/** Figures of the runs, as columns of a table for people, on the page and on the terminal. */
export const COLUMNS: readonly { name: string; isNumber: boolean; text(run: ComparedFigures): string }[] = [
  { name: 'State', isNumber: false, text: ({ state }) => state },
  { name: 'Epochs', isNumber: true, text: ({ epochs }) => integer(epochs) },
  { name: 'Accuracy', isNumber: true, text: ({ testAccuracy }) => percent(testAccuracy) },
  { name: 'Best', isNumber: true, text: ({ bestTestAccuracy }) => percent(bestTestAccuracy) },
  { name: 'Macro F1', isNumber: true, text: ({ macroF1 }) => percent(macroF1) },
  { name: 'Test loss', isNumber: true, text: ({ testLoss }) => figure(testLoss) },
  { name: 'Train loss', isNumber: true, text: ({ trainLoss }) => figure(trainLoss) },
  { name: 'Images/s', isNumber: true, text: ({ imagesPerSecond }) => speed(imagesPerSecond) },
  { name: 'Time', isNumber: true, text: ({ seconds }) => duration(seconds) },
  { name: 'Workers', isNumber: true, text: ({ workers }) => (workers === null ? NOTHING : integer(workers)) },
  { name: 'Digest', isNumber: false, text: ({ digest }) => digest?.slice(0, 12) ?? NOTHING },
]

const CURVES: readonly [figure: ComparedFigure, label: string][] = [
  ['testAccuracy', 'Test accuracy of the runs by epoch'], ['testLoss', 'Test loss of the runs by epoch'], ['trainLoss', 'Training loss of the runs by epoch'],
]

/** Builds the page that compares runs: it needs no other file and no script. @param runs in the order of `comparison` */
export async function comparePage(comparison: Comparison, runs: readonly Reported[], draw: Draw, writtenAt: Date): Promise<string> {
  const compared = comparison.runs.map(({ name }, index) => ({ name, history: runs[index].view.history }))
  const plots: Html[] = []
  for (const [shown, label] of CURVES) plots.push(drawn(await draw({ picture: 'compared', runs: compared, figure: shown }), label))
  return pageOf(
    `${counted(runs.length, 'run')} compared · Herd`,
    html`<h1>${counted(runs.length, 'run')} compared</h1><p class="note">written ${dateAndTime(writtenAt.toISOString())}</p>`,
    section('figures', 'How they ended', figuresTable(comparison), ...comparison.sameWeights.map((sentence) => html`<p>${sentence}</p>`)),
    section('differences', 'In what their recipes differ', differencesTable(comparison)),
    section('curves', 'Curves', html`<div class="plots">${plots}</div>`),
    section('digests', 'Digests', table('Digests of the weights', [{ name: 'Run' }, { name: 'sha256 of the weights' }], comparison.runs.map(({ name, digest }) => [named(name), html`<code>${digest ?? NOTHING}</code>`]))),
  )
}

function figuresTable({ runs }: Comparison): Html {
  return table('Figures of the runs', [{ name: 'Run' }, ...COLUMNS], runs.map((run) => [named(run.name), ...COLUMNS.map(({ text }) => text(run))]))
}

function differencesTable({ runs, differences }: Comparison): Html {
  if (differences.length === 0) return html`<p>In nothing: they have the same recipe.</p>`
  return table('Parts of the recipe in which the runs differ', [{ name: 'Part' }, ...runs.map(({ name }) => ({ name }))], differences.map(({ key, values }) => [html`<code>${key}</code>`, ...values.map((value) => html`<code>${valueText(value)}</code>`)]))
}
