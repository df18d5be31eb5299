import type { Sweep } from '../../shared/run_folder/sweep.ts'
import { printable, shorten } from '../../shared/pictures/text.ts'
import { duration } from '../../live/page/format.ts'
import { valueText } from '../../live/report/run_sections.ts'
import { meanText } from '../../live/report/sweep.ts'
import { csvLine, tableOf } from '../output.ts'

const LONGEST_VALUE = 32

/** Formats a duration for the terminal, where a space is as good as one that does not break. */
export function roundTime(seconds: number): string {
  return duration(seconds).replaceAll('\u00a0', ' ')
}

/** The trials as lines of a table, the best first. */
export function sweepTable({ trials, parts, measure }: Sweep): string[] {
  const rows = trials.map((trial) => [
    String(trial.number), ...parts.map((part) => printable(shorten(valueText(trial.settings[part]), LONGEST_VALUE))),
    meanText(trial, measure), String(trial.epochs), roundTime(trial.seconds), trial.state,
  ])
  return tableOf([['trial', ...parts, measure, 'epochs', 'time', 'state'], ...rows])
}

/** All runs as comma-separated values, with a line of headings: the trials' parts, then the figures of each run. */
export function sweepCsv({ trials, parts }: Sweep): string {
  const number = (value: number | null): string => (value === null ? '' : String(value))
  const text = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))
  const rows = trials.flatMap((trial) => trial.runs.map((run) => [
    String(trial.number), trial.state, ...parts.map((part) => text(trial.settings[part])),
    String(run.seed), run.state, String(run.epochs), number(run.accuracy), number(run.loss), number(run.seconds), run.folder,
  ]))
  const headings = ['trial', 'trialState', ...parts, 'seed', 'state', 'epochs', 'accuracy', 'loss', 'seconds', 'folder']
  return `${[headings, ...rows].map(csvLine).join('\n')}\n`
}
