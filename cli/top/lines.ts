import type { MemberView, RunBrief } from '../../live/view.ts'
import { plainText } from '../../shared/kit/fields.ts'
import { percent } from '../output.ts'
import { nameOfModel } from '../../shared/model/models.ts'
import { knownRecipe } from '../../shared/recipe/stored.ts'

const BAR_WIDTH = 30
const NOTHING = '-'

/** The whole picture of a run, as lines. Names that the coordinator sends are reduced to plain text, so that they cannot control the terminal. */
export function linesOf(brief: RunBrief, speedOf: (member: MemberView) => number | undefined, now: Date): string[] {
  const { facts, members, lastEpoch } = brief
  const recipe = knownRecipe(facts.recipe)
  return [
    `${plainText(facts.folder)}  ${stateOf(brief)}  up ${duration((now.getTime() - Date.parse(brief.startedAt)) / 1000)}`,
    [nameOfModel(recipe.model ?? NOTHING), `${recipe.imageSize ?? NOTHING} px`, recipe.precision ?? NOTHING, recipe.engine ?? NOTHING, `${facts.trainImages} images of ${facts.classes.length} classes`, `batch ${recipe.batch ?? NOTHING}`, `${recipe.lanes ?? NOTHING} lanes`].map((text) => plainText(text)).join(', '),
    '',
    progressOf(brief),
    figuresOf(brief),
    lastEpoch === null ? 'no epoch is done yet' : `epoch ${lastEpoch.epoch}: train loss ${decimals(lastEpoch.trainLoss)} accuracy ${percent(lastEpoch.trainAccuracy)}  test loss ${decimals(lastEpoch.testLoss)} accuracy ${percent(lastEpoch.testAccuracy)}`,
    '',
    ...tableOfMembers(members, speedOf),
    ...(members.length === 0 ? ['no worker is in'] : []),
  ]
}

/** The state of a run in one line, for a log. */
export function lineOf(brief: RunBrief): string {
  const { facts, progress, members } = brief
  return [
    stateOf(brief),
    `epoch ${progress.epoch}/${knownRecipe(facts.recipe).epochs ?? NOTHING}`,
    `step ${progress.stepInEpoch}/${facts.stepsPerEpoch}`,
    figuresOf(brief),
    `${members.length} worker${members.length === 1 ? '' : 's'}`,
    ...(progress.epochSecondsLeft === null ? [] : [`${duration(progress.epochSecondsLeft)} left`]),
  ].join('  ')
}

function stateOf({ state, progress: { testing } }: RunBrief): string {
  if (testing === null || (state !== 'evaluating' && state !== 'training')) return state
  return `${state === 'training' ? 'training, ' : ''}testing ${testing.done}/${testing.total}`
}

function progressOf({ facts, progress }: RunBrief): string {
  const { epoch, stepInEpoch, epochSecondsLeft, runSecondsLeft } = progress
  const full = facts.stepsPerEpoch === 0 ? 0 : Math.min(BAR_WIDTH, Math.round((BAR_WIDTH * stepInEpoch) / facts.stepsPerEpoch))
  return [
    `epoch ${epoch}/${knownRecipe(facts.recipe).epochs ?? NOTHING}`,
    `${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}`,
    `step ${stepInEpoch}/${facts.stepsPerEpoch}`,
    ...(epochSecondsLeft === null ? [] : [`${duration(epochSecondsLeft)} left`]),
    ...(runSecondsLeft === null ? [] : [`of the run ${duration(runSecondsLeft)}`]),
  ].join('  ')
}

function figuresOf({ lastStep, progress }: RunBrief): string {
  return [
    `loss ${lastStep === null ? NOTHING : decimals(lastStep.loss)}`,
    `accuracy ${lastStep === null ? NOTHING : percent(lastStep.accuracy)}`,
    `${progress.imagesPerSecond?.toFixed(1) ?? NOTHING} images/s`,
  ].join('  ')
}

/** Order of workers' names, in which "worker-10" comes after "worker-9". */
const byName = new Intl.Collator('en', { numeric: true })

type Column = [head: string, alignment: 'left' | 'right', cell: (member: MemberView) => string]

function tableOfMembers(members: readonly MemberView[], speedOf: (member: MemberView) => number | undefined): string[] {
  const columns: Column[] = [
    ['WORKER', 'left', ({ name }) => shortened(plainText(name), 24)],
    ['STATE', 'left', ({ state }) => state],
    ['NOW', 'left', (member) => shortened(doesNow(member), 20)],
    ['LANES', 'right', ({ lanes }) => String(lanes)],
    ['IMAGES/S', 'right', (member) => speedOf(member)?.toFixed(1) ?? NOTHING],
    ['LANE', 'right', ({ laneSeconds }) => (laneSeconds === null ? NOTHING : laneSeconds < 1 ? `${(laneSeconds * 1000).toFixed(0)} ms` : `${laneSeconds.toFixed(2)} s`)],
    ['MEMORY', 'right', ({ residentBytes }) => size(residentBytes)],
    ['IN', 'right', ({ receivedBytes }) => size(receivedBytes)],
    ['OUT', 'right', ({ sentBytes }) => size(sentBytes)],
    ['DEVICE', 'left', ({ device }) => shortened(plainText(device), 20)],
  ]
  const sorted = [...members].sort((a, b) => byName.compare(a.name, b.name))
  const rows = [columns.map(([head]) => head), ...sorted.map((member) => columns.map(([, , cell]) => cell(member)))]
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  return rows.map((row) => row.map((cell, column) => (columns[column][1] === 'left' ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join('  ').trimEnd())
}

function doesNow({ kind, owes }: MemberView): string {
  if (kind === null || owes.length === 0) return NOTHING
  const noun = kind === 'TRAIN' ? 'lane' : 'test block'
  return `${noun}${owes.length === 1 ? '' : 's'} ${owes.join(' ')}`
}

function shortened(text: string, length: number): string {
  const characters = [...text]
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`
}

/** Formats a number that came as JSON, in which null stands for NaN. */
function decimals(value: number | null): string {
  return value === null ? 'NaN' : value.toFixed(4)
}

function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3))
  return `${(bytes / 1000 ** power).toFixed(power < 2 ? 0 : 1)} ${units[power]}`
}

/** Formats a duration: "59 s", "1:05 min", "2:30 h". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const two = (value: number): string => String(value).padStart(2, '0')
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)}:${two(whole % 60)} min`
  return `${Math.floor(whole / 3600)}:${two(Math.floor((whole % 3600) / 60))} h`
}
