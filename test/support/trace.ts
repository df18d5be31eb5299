import { readFile } from 'node:fs/promises'
import { z } from 'zod'

/**
 * Schema of Chrome's Trace Event Format, JSON array format, as its document ("Trace Event Format", Google, 2016) defines it for the
 * two kinds of events that are used: complete events (section "Complete Events") and metadata events ("Metadata Events").
 */
const place = { pid: z.int().min(1), tid: z.int().min(0) }
const complete = z.strictObject({
  ...place, name: z.string().min(1), cat: z.string().min(1), ph: z.literal('X'),
  /** Begin and duration, in microseconds. */
  ts: z.int(), dur: z.int().min(0),
  args: z.strictObject({ step: z.int().min(1).optional(), lane: z.int().min(0).optional(), block: z.int().min(0).optional() }),
})
const metadata = z.strictObject({ ...place, name: z.enum(['process_name', 'thread_name']), ph: z.literal('M'), args: z.strictObject({ name: z.string().min(1) }) })
const traceSchema = z.array(z.discriminatedUnion('ph', [complete, metadata]))

export interface TracedSpan {
  process: string
  row: string
  name: string
  begin: number
  end: number
  step: number | undefined
  lane: number | undefined
}

/**
 * Reads a trace as Perfetto would.
 * @returns its spans, in microseconds
 * @throws Error if an event does not have the format, a row or process has no name, or spans of a row overlap without one lying inside the other.
 */
export async function readTrace(file: string): Promise<TracedSpan[]> {
  const events = traceSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  const processes = new Map<number, string>()
  const rows = new Map<string, string>()
  for (const event of events) {
    if (event.ph === 'M' && event.name === 'process_name') processes.set(event.pid, event.args.name)
    else if (event.ph === 'M') rows.set(`${event.pid}/${event.tid}`, event.args.name)
  }
  const spans = events.flatMap((event): TracedSpan[] => {
    if (event.ph !== 'X') return []
    const process = processes.get(event.pid)
    const row = rows.get(`${event.pid}/${event.tid}`)
    if (process === undefined || row === undefined) throw new Error(`${JSON.stringify(event)} is of no process or row that has a name`)
    return [{ process, row, name: event.name, begin: event.ts, end: event.ts + event.dur, step: event.args.step, lane: event.args.lane }]
  })
  for (const key of new Set(spans.map(keyOf))) requireNesting(spans.filter((span) => keyOf(span) === key))
  return spans
}

const keyOf = ({ process, row }: TracedSpan): string => `${process}/${row}`

function requireNesting(spans: readonly TracedSpan[]): void {
  const open: TracedSpan[] = []
  for (const span of spans.toSorted((a, b) => a.begin - b.begin || b.end - a.end)) {
    while (open.length > 0 && (open.at(-1)?.end ?? 0) <= span.begin) open.pop()
    const around = open.at(-1)
    if (around !== undefined && span.end > around.end) throw new Error(`${JSON.stringify(span)} overlaps ${JSON.stringify(around)} in one row`)
    open.push(span)
  }
}

/** Share of a stretch of time, 0 to 1, that the spans cover together. */
export function coverage(spans: readonly { begin: number; end: number }[], { begin, end }: { begin: number; end: number }): number {
  let covered = 0
  let reached = begin
  for (const span of spans.toSorted((a, b) => a.begin - b.begin)) {
    const from = Math.max(span.begin, reached)
    const to = Math.min(span.end, end)
    if (to <= from) continue
    covered += to - from
    reached = to
  }
  return covered / (end - begin)
}
