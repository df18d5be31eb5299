import type { HistoryLine } from '../../shared/run_folder/schemas.ts'
import type { Sweep, SweepTrial } from '../../shared/run_folder/sweep.ts'
import type { TriedPoint } from '../../shared/pictures/tried.ts'
import { counted, dateAndTime, duration, figure, integer, NOTHING, percent } from '../page/format.ts'
import { drawn, html, list, named, section, table, type Content, type Html } from './html.ts'
import { pageOf } from './page.ts'
import { quotedPath, valueText } from './run_sections.ts'
import type { Draw } from './test_sections.ts'

/** Most runs whose curves have a name and a colour: more could not be told apart. */
const MOST_NAMED = 16

const STATES: Readonly<Record<Sweep['state'], string>> = { 'going on': 'still going on', stopped: 'stopped before its end', finished: 'finished' }

export interface SweepPageParts {
  sweep: Sweep
  /** Of the runs, by their folders relative to the sweep's. */
  histories: ReadonlyMap<string, readonly HistoryLine[]>
  /** The best of the trials; undefined while none has been trained to its end. */
  best: SweepTrial | undefined
  /** Command that trains with the best recipe, and tests on images that no trial saw. */
  command: string | undefined
  writtenAt: Date
}

/** Builds the page about a sweep: it needs no other file and no script. */
export async function sweepPage({ sweep, histories, best, command, writtenAt }: SweepPageParts, draw: Draw): Promise<string> {
  return pageOf(
    `${sweep.name} · sweep · Herd`,
    headOf(sweep, best, writtenAt),
    bestSection(best, command),
    section('trials', 'Trials', howCompared(sweep), trialsTable(sweep)),
    await partsSection(sweep, best, draw),
    await curvesSection(sweep, histories, draw),
    runsSection(sweep),
  )
}

function headOf(sweep: Sweep, best: SweepTrial | undefined, writtenAt: Date): Html {
  const { name, state, trials, data, seeds, measure } = sweep
  const seconds = trials.reduce((sum, trial) => sum + trial.seconds, 0)
  const of = (wanted: SweepTrial['state']): number => trials.filter((trial) => trial.state === wanted).length
  const others = (['halted', 'failed', 'open'] as const).flatMap((wanted) => (of(wanted) === 0 ? [] : [`${integer(of(wanted))} ${wanted}`]))
  return html`<h1>${named(name)}</h1>
<p class="note">${named(data.folder)} · ${STATES[state]} · written ${dateAndTime(writtenAt.toISOString())}</p>
<dl class="figures">
<div><dt>Best ${measure}</dt><dd>${best === undefined ? NOTHING : measured(best.mean, measure)}<small>${best === undefined ? 'no trial yet' : `of validation, trial ${best.number}`}</small></dd></div>
<div><dt>Trials</dt><dd>${integer(trials.length)}<small>${[`${integer(of('finished'))} finished`, ...others].join(', ')}</small></dd></div>
<div><dt>Seeds</dt><dd>${integer(seeds.length)}<small>${seeds.join(', ')}</small></dd></div>
<div><dt>Training took</dt><dd>${duration(seconds)}<small>of all runs together</small></dd></div>
<div><dt>Images</dt><dd>${integer(data.training)}<small>${counted(data.validation, 'image')} to validate on</small></dd></div>
</dl>
`
}

function bestSection(best: SweepTrial | undefined, command: string | undefined): Html {
  if (best === undefined || command === undefined) return section('best', 'The best recipe', html`<p class="missing">No trial has been trained to its end yet.</p>`)
  return section(
    'best', 'The best recipe',
    list(Object.entries(best.settings).map(([part, value]) => [part, html`<code>${valueText(value)}</code>`] as const)),
    html`<p>Its figure is the highest of several, and so a little too good. A run with it on the whole training part, tested on images that no trial saw, tells what it comes to:</p>`,
    html`<pre><code>${command}</code></pre>`,
  )
}

/** Says what the figures of the table are of. */
function howCompared({ data, measure, seeds, halving }: Sweep): Html {
  const rungs = halving === null ? '' : ` After epoch ${halving.epochs.join(' and ')} the best ${percent(halving.keep, 0)} went on.`
  return html`<p class="note">By their ${measure} on ${counted(data.validation, 'image')} of the training part, after their last epoch${seeds.length > 1 ? ', as mean over the seeds ± its standard deviation' : ''}.${rungs}
    ${data.heldOut === 0 ? '' : `The ${counted(data.heldOut, 'image')} of the test part were left out.`}</p>`
}

function trialsTable({ trials, parts, measure }: Sweep): Html {
  const columns = [{ name: 'Trial' }, ...parts.map((name) => ({ name })), { name: measure, isNumber: true }, { name: 'Epochs', isNumber: true }, { name: 'Time', isNumber: true }, { name: 'State' }]
  return table('Trials, the best first', columns, trials.map((trial): Content[] => [
    integer(trial.number), ...parts.map((part) => html`<code>${valueText(trial.settings[part])}</code>`),
    meanText(trial, measure), integer(trial.epochs), duration(trial.seconds), trial.state,
  ]))
}

/** A plot for each part that has several values: what the trials came to by its value. */
async function partsSection({ parts, trials, measure }: Sweep, best: SweepTrial | undefined, draw: Draw): Promise<Content> {
  const shown = trials.filter((trial) => trial.mean !== null && trial.state !== 'failed')
  const plots: Html[] = []
  for (const part of parts) {
    const points = shown.map(({ settings, mean, state, number }): TriedPoint => {
      const value = settings[part]
      return { value: typeof value === 'number' ? value : valueText(value), figure: mean ?? 0, kind: number === best?.number ? 'best' : state === 'finished' ? 'finished' : 'halted' }
    })
    if (new Set(points.map(({ value }) => value)).size > 1) plots.push(drawn(await draw({ picture: 'tried', tried: { part, points, measure } }), `${measure} of the trials by ${part}`))
  }
  return plots.length === 0 ? '' : section('parts', 'What each part has to do with it', html`<div class="plots pairs">${plots}</div>`)
}

async function curvesSection({ trials }: Sweep, histories: SweepPageParts['histories'], draw: Draw): Promise<Html> {
  const all = trials.flatMap((trial) => trial.runs.map(({ seed, folder }) => ({ name: `${trial.number}: ${trial.runs.length > 1 ? `seed ${seed}, ` : ''}${Object.values(trial.settings).map(valueText).join(', ')}`, history: histories.get(folder) ?? [] })))
  const begun = all.filter(({ history }) => history.length > 0)
  if (begun.length === 0) return section('curves', 'Curves', html`<p class="missing">No epoch has ended yet.</p>`)
  const runs = begun.slice(0, MOST_NAMED)
  const others = begun.slice(MOST_NAMED).map(({ history }) => history)
  const accuracy = await draw({ picture: 'compared', runs, figure: 'testAccuracy', others: { title: 'Validation accuracy', histories: others } })
  const loss = await draw({ picture: 'compared', runs, figure: 'testLoss', others: { title: 'Validation loss', histories: others } })
  return section(
    'curves', 'Curves',
    others.length === 0 ? '' : html`<p class="note">The best ${integer(runs.length)} runs by colour, ${counted(others.length, 'other')} in grey.</p>`,
    html`<div class="plots">${drawn(accuracy, 'Validation accuracy of the runs by epoch')}${drawn(loss, 'Validation loss of the runs by epoch')}</div>`,
  )
}

function runsSection({ trials, name }: Sweep): Html {
  const columns = [{ name: 'Run' }, { name: 'Seed', isNumber: true }, ...['Epochs', 'Accuracy', 'Loss', 'Time'].map((column) => ({ name: column, isNumber: true })), { name: 'State' }]
  const rows = trials.flatMap(({ runs }) => runs.map((run): Content[] => [html`<code>${quotedPath(`${name}/${run.folder}`)}</code>`, run.seed, integer(run.epochs), percent(run.accuracy), figure(run.loss), duration(run.seconds), run.reason === undefined ? run.state : `${run.state}: ${run.reason}`]))
  return section('runs', 'Runs', html`<details><summary>${counted(rows.length, 'run')}, each with a folder of its own</summary>${table('Runs of the trials', columns, rows)}</details>`)
}

/** Formats what trials are compared by: "91.2 %" or "0.312"; a dash for what is not known. */
export function measured(value: number | null | undefined, measure: Sweep['measure']): string {
  return measure === 'accuracy' ? percent(value) : figure(value)
}

/** Formats mean and spread of a trial: "91.2 % ± 0.4 %". */
export function meanText({ mean, spread }: Pick<SweepTrial, 'mean' | 'spread'>, measure: Sweep['measure']): string {
  return `${measured(mean, measure)}${spread === null ? '' : ` ± ${measured(spread, measure)}`}`
}
