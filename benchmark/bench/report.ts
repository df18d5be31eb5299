import { z } from 'zod'
import { figure } from '../../shared/kit/figure.ts'
import { machineSchema } from '../../shared/kit/machine.ts'
import { sectionSchema, type Section } from './section.ts'
import { spreadOf } from './statistics.ts'

/** The report that `npm run bench` writes as JSON. */
export const reportSchema = z.object({
  /** Time at which the benchmark ended. */
  time: z.iso.datetime(),
  machine: machineSchema,
  rounds: z.int(),
  sections: z.array(sectionSchema),
})
export type Report = z.infer<typeof reportSchema>

const BEGIN = '<!-- npm run bench: begin -->'
const END = '<!-- npm run bench: end -->'

/** The report as Markdown: a table for each section, with the median and the spread of the rounds. */
export function markdownOf({ time, machine, rounds, sections }: Report): string {
  const { processor, cores, memoryGib, extensions, versions } = machine
  const where = `${processor}, ${cores} cores, ${memoryGib} GiB${extensions.length === 0 ? '' : `, ${extensions.join(', ')}`}`
  const what = Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(', ')
  return [
    `Measured on ${time.slice(0, 10)}: ${where}; ${what}. ${rounds} rounds, in which the contenders take turns; medians, with the least and the most of the rounds; ratios are taken round by round.`,
    ...sections.map((section) => sectionMarkdown(section)),
  ].join('\n\n')
}

function sectionMarkdown({ title, about, unit, more, baseline, measures, derived, notes }: Section): string {
  const base = measures.find(({ name }) => name === baseline)?.values ?? []
  const rows = measures.map(({ name, values }) => {
    const ratios = values.map((value, round) => value / base[round])
    return `| ${name} | ${spread(values)} | ${name === baseline ? '1' : spread(ratios)} |`
  })
  const derivedRows = derived.map(({ name, unit: ofDerived, values }) => `| ${name} | ${spread(values)} ${ofDerived} | |`)
  return [
    `### ${title}`,
    '',
    `${about} ${more ? 'More' : 'Less'} is better.`,
    '',
    `| | ${unit} | ratio to ${baseline} |`,
    '| --- | --- | --- |',
    ...rows,
    ...derivedRows,
    ...notes.flatMap((note) => ['', note]),
  ].join('\n')
}

function spread(values: readonly number[]): string {
  const { median, least, most } = spreadOf(values)
  return `${figure(median)} (${figure(least)} to ${figure(most)})`
}

/**
 * Puts a report into a page, in place of the last one.
 * @throws Error if the page does not have the two lines that mark the place
 */
export function withReport(page: string, markdown: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (begin < 0 || end < begin) throw new Error(`the page has no lines "${BEGIN}" and "${END}" to put the report between.`)
  return `${page.slice(0, begin + BEGIN.length)}\n\n${markdown}\n\n${page.slice(end)}`
}
