import { partsOf } from '../../shared/recipe/differences.ts'
import { knownRecipe } from '../../shared/recipe/stored.ts'
import type { HistoryLine } from '../../shared/run_folder/schemas.ts'
import { counted, dateAndTime, duration, figure, integer, NOTHING, percent, rate, speed } from '../page/format.ts'
import type { RunState, RunView } from '../view.ts'
import { drawn, html, list, named, section, table, type Html } from './html.ts'
import type { Reported } from './reported.ts'
import type { Draw } from './test_sections.ts'

const STATES: Readonly<Record<RunState, string>> = {
  waiting: 'waiting for workers', training: 'still going on', evaluating: 'still going on', finished: 'finished', stopped: 'stopped before its end', failed: 'failed', interrupted: 'broke off',
}
/** Most epochs in the table; of more, some at equal distances, and the last. */
const MOST_EPOCHS = 200
const MOST_EVENTS = 30

/** What readers look for first: the run's name, and its figures. */
export function headSection({ view, details }: Reported, writtenAt: Date): Html {
  const { facts, history, summary, state, startedAt } = view
  const last = history.at(-1)
  const best = bestOf(history)
  const seconds = secondsOf(view)
  return html`<h1>${named(facts.name)}</h1>
<p class="note">${named(facts.folder)} · ${STATES[state]} · started ${dateAndTime(startedAt)} · written ${dateAndTime(writtenAt.toISOString())}</p>
<dl class="figures">
<div><dt>Test accuracy</dt><dd>${percent(summary?.testAccuracy ?? last?.testAccuracy)}<small>${best === undefined ? 'no epoch yet' : `best ${percent(best.testAccuracy)} in epoch ${best.epoch}`}</small></dd></div>
<div><dt>Test loss</dt><dd>${figure(summary?.testLoss ?? last?.testLoss)}<small>training ${figure(summary?.trainLoss ?? last?.trainLoss)}</small></dd></div>
<div><dt>Calibration error</dt><dd>${details === undefined || details.calibration.images === 0 ? NOTHING : percent(details.calibration.error)}<small>expected, of test images</small></dd></div>
<div><dt>Epochs</dt><dd>${integer(last?.epoch ?? 0)}<small>${counted(last?.step ?? 0, 'step')}</small></dd></div>
<div><dt>Training took</dt><dd>${duration(seconds)}<small>${speed(summary?.imagesPerSecond ?? last?.imagesPerSecond)} images/s</small></dd></div>
<div><dt>Parameters</dt><dd>${integer(facts.parameters)}<small>${counted(facts.classes.length, 'class', 'classes')}, ${counted(facts.trainImages, 'image')}</small></dd></div>
</dl>
`
}

export async function curvesSection({ view: { history } }: Reported, draw: Draw): Promise<Html> {
  if (history.length === 0) return section('curves', 'Curves', html`<p class="missing">No epoch has ended yet.</p>`)
  const [loss, accuracy] = [await draw({ picture: 'loss', history }), await draw({ picture: 'accuracy', history })]
  return section('curves', 'Curves', html`<div class="plots">${drawn(loss, 'Training and test loss by epoch')}${drawn(accuracy, 'Training and test accuracy by epoch')}</div>`)
}

export function timeSection({ view }: Reported): Html {
  const { history, summary } = view
  const slowest = history.reduce((most, { seconds }) => Math.max(most, seconds), 0)
  const quickest = history.reduce((least, { seconds }) => Math.min(least, seconds), Infinity)
  const shown = history.length <= MOST_EPOCHS ? history : history.filter((_, index) => index % Math.ceil(history.length / MOST_EPOCHS) === 0 || index === history.length - 1)
  const columns = ['Epoch', 'Training loss', 'Test loss', 'Training accuracy', 'Test accuracy', 'Learning rate', 'Images/s', 'Took', 'Workers'].map((name) => ({ name, isNumber: true }))
  return section(
    'time', 'Time and throughput',
    list([
      ['Training', `${duration(secondsOf(view))} for ${counted(summary?.images ?? history.reduce((sum, { images }) => sum + images, 0), 'image')}, tests and pictures not counted`],
      ['Throughput', `${speed(summary?.imagesPerSecond ?? history.at(-1)?.imagesPerSecond)} images/s${summary === null ? ' in the last epoch' : ' on average'}`],
      ['An epoch', history.length === 0 ? NOTHING : `${duration(quickest)} to ${duration(slowest)}`],
    ]),
    history.length === 0 ? '' : html`<details><summary>Epoch by epoch</summary>${table('Figures of the epochs', columns, shown.map((line) => [
      integer(line.epoch), figure(line.trainLoss), figure(line.testLoss), percent(line.trainAccuracy), percent(line.testAccuracy), rate(line.learningRate), speed(line.imagesPerSecond), duration(line.seconds), integer(line.workers),
    ]))}</details>`,
  )
}

/** The recipe, what differs from the default first. */
export function recipeSection({ view: { facts } }: Reported): Html {
  const parts = partsOf(knownRecipe(facts.recipe))
  const others = parts.filter(({ isStandard }) => !isStandard)
  const usual = parts.filter(({ isStandard }) => isStandard)
  return section(
    'recipe', 'Recipe',
    others.length === 0
      ? html`<p>All as by default.</p>`
      : table('Parts of the recipe that are not as by default', [{ name: 'Part' }, { name: 'Value' }, { name: 'Default' }], others.map(({ key, value, standard }) => [html`<code>${key}</code>`, html`<code>${valueText(value)}</code>`, html`<code>${valueText(standard)}</code>`])),
    usual.length === 0 ? '' : html`<details><summary>${counted(usual.length, 'part')} as by default, or decided by the machine</summary>${table('Parts of the recipe that are as by default', [{ name: 'Part' }, { name: 'Value' }], usual.map(({ key, value }) => [html`<code>${key}</code>`, html`<code>${valueText(value)}</code>`]))}</details>`,
  )
}

/** Formats a part of a recipe for people: "cosine (warmupEpochs 1, floor 0)" for something with a name and settings, a list by its items. */
export function valueText(value: unknown): string {
  if (value === undefined) return NOTHING
  if (value === null) return 'none'
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(valueText).join(', ')
  if (typeof value !== 'object') return String(value)
  const { name, ...settings } = value as Record<string, unknown>
  if (typeof name !== 'string' || 'layers' in settings) return JSON.stringify(value)
  const shown = Object.entries(settings).map(([key, setting]) => `${key} ${JSON.stringify(setting)}`)
  return shown.length === 0 ? name : `${name} (${shown.join(', ')})`
}

/** Tells which workers computed the run, and what happened to them. */
export function clusterSection({ view: { summary, history, events }, config }: Reported): Html {
  const warnings = events.filter(({ level }) => level === 'warning')
  const { verify } = config
  const share = typeof verify === 'number' && verify > 0 ? `${percent(verify, verify < 0.01 ? 2 : 0)} of what workers sent was computed by another one, too` : 'no gradient was computed twice (--verify 0%)'
  return section(
    'cluster', 'Cluster',
    list(summary === null
      ? [['Workers', `${integer(history.reduce((most, { workers }) => Math.max(most, workers), 0))} at the end of an epoch, at most`], ['Checks', share]]
      : [
          ['Workers', `${integer(summary.workers)} at most, ${integer(summary.workersLost)} lost`],
          ['Restarts', integer(summary.restarts)],
          ['Lanes', `${integer(summary.lanesComputed)} computed, ${integer(summary.lanesCounted)} counted, ${integer(summary.lanesRecomputed)} again after a loss, ${integer(summary.lanesTakenOver)} taken over`],
          ['Steps left out', integer(summary.skippedSteps)],
          ['Engine', `${summary.engine}, ${summary.device}, ${summary.precision}`],
          ['Numerics', summary.fingerprints.length === 1 ? 'all workers computed the same bits' : `${counted(summary.fingerprints.length, 'different fingerprint')} among the workers`],
          ['Checks', share],
        ]),
    warnings.length === 0 ? '' : [
      html`<h3>What went wrong</h3>`,
      warnings.length > MOST_EVENTS ? html`<p class="note">The last ${MOST_EVENTS}; <code>events.jsonl</code> has all.</p>` : '',
      table('Warnings', [{ name: 'Time' }, { name: '' }], warnings.slice(-MOST_EVENTS).map(({ time, text }) => [dateAndTime(time), text])),
    ],
  )
}

/** The digest, and how anybody finds out whether it is right. */
export function digestSection({ view: { summary, facts }, isNoted, isSigned, config }: Reported): Html {
  const quoted = quotedPath(facts.folder)
  const { datasetDigest } = config
  const commands: string[] = [
    ...(isNoted ? [`npx herd verify ${quoted}${isSigned ? ' --signed-by public.pem' : ''}`, `npx herd diff ${quoted} OTHER_RUN`] : []),
    `npx herd evaluate --checkpoint ${quotedPath(`${facts.folder}/checkpoints/latest.ckpt`)} --data FOLDER`,
  ]
  return section(
    'digest', 'Digest, and how to verify it',
    list([
      ['Weights', summary === null ? 'The run has not finished: it has no digest yet.' : html`<code>${summary.digest}</code>`],
      ['Images', typeof datasetDigest === 'string' ? html`<code>${datasetDigest}</code>` : NOTHING],
      ['Chain of digests', summary?.digests === undefined ? (isNoted ? 'in digests.jsonl' : 'none: the run notes no digests (--audit-every 0)') : html`<code>${summary.digests.hash}</code> after ${counted(summary.digests.lines, 'line')}, up to step ${integer(summary.digests.step)}`],
      ['Signature', isSigned ? 'provenance.json.sig' : 'none'],
    ]),
    html`<p>The digest is the sha256 of all weights. The same recipe on the same images gives it again, for any number of workers and through any failure, on machines that compute the same bits.
      ${isNoted ? 'The first command computes steps of the run again, and names the first that is not what was noted; the second says where another run parts from this one.' : ''} The last one must give the loss and accuracy of this page.</p>`,
    html`<pre><code>${commands.map((command): Html => html`${command}<br>`)}</code></pre>`,
  )
}

/** Quotes a path for a shell, where it needs that. */
export function quotedPath(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}

export function bestOf(history: readonly HistoryLine[]): HistoryLine | undefined {
  return history.reduce<HistoryLine | undefined>((best, line) => (best === undefined || line.testAccuracy > best.testAccuracy ? line : best), undefined)
}

/** Seconds of training so far. */
export function secondsOf({ summary, history }: Pick<RunView, 'summary' | 'history'>): number {
  return summary?.seconds ?? history.reduce((sum, { seconds }) => sum + seconds, 0)
}
