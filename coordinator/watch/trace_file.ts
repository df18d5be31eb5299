import { createWriteStream, type WriteStream } from 'node:fs'
import { once } from 'node:events'
import { messageOf, RunError } from '../../shared/kit/errors.ts'
import type { Span, SpanName } from '../../shared/trace/span.ts'
import type { Observer } from '../contract/events.ts'

/** Name of the coordinator's process in the trace. */
const COORDINATOR = 'coordinator'
/** Buffered events are written after this much time of the trace, or once they have MAX_PENDING characters. */
const WRITE_MICROSECONDS = 1e6
const MAX_PENDING = 64 * 1024
/** Bytes that may wait for a slow disk. While there are more, spans are left out: a trace is worth neither the coordinator's memory nor a pause of the run. */
const MAX_UNWRITTEN = 16 * 1024 * 1024
/** The row in which spans are nested. */
const STEPS = 'steps'
/** Row of its process in which each span is drawn. */
const rowOf: Record<SpanName, string> = {
  // An evaluation may overlap several steps.
  evaluation: 'evaluation', step: STEPS, 'lanes wait': STEPS, reduce: STEPS, optimizer: STEPS, broadcast: STEPS,
  compute: 'engine', test: 'engine', check: 'engine', feed: 'feed', collect: 'feed', idle: 'waits', 'weights wait': 'waits', 'input wait': 'waits', upload: 'upload', decode: 'decode',
}

interface Row {
  id: number
  /** End of the row's last span, in microseconds since the trace began. */
  end: number
}

interface Process {
  id: number
  /** Rows by name; overlapping spans, such as images decoded in parallel, get rows of their own. */
  rows: Map<string, Row[]>
}

/**
 * A trace in the JSON array format of Chrome's Trace Event Format, which Perfetto opens: one process for the coordinator and
 * each worker, complete events ("ph": "X"), times in microseconds since the trace began, by the coordinator's clock. The
 * format needs no closing bracket, so a trace cut short by a crash can be opened too.
 */
export class TraceFile {
  readonly #output: WriteStream
  readonly #begin: number
  readonly #processes = new Map<string, Process>()
  #rows = 0
  #empty = true
  /** Serialised events that wait to be written together: one write per event would cost more than the work it describes. */
  #pending = ''
  #writtenAt = 0
  #broken = false
  /** Number of spans that were left out. */
  #leftOut = 0
  readonly #complain: (reason: string) => void

  private constructor(output: WriteStream, begin: number, complain: (reason: string) => void) {
    this.#output = output
    this.#begin = begin
    this.#complain = complain
    output.on('error', (error) => {
      if (!this.#broken) complain(`cannot be written: ${error.message}. The trace ends here.`)
      this.#broken = true
    })
  }

  /**
   * Creates the file.
   * @param begin start of the trace, in seconds on the coordinator's clock, which its spans use too
   * @param observe receives one `writeFailed` event if writing fails, and the trace then ends; and one each when spans begin to be left out, and at the end
   * @throws RunError if the file cannot be created
   */
  static async open(file: string, begin: number, observe: Observer): Promise<TraceFile> {
    const output = createWriteStream(file)
    try {
      await once(output, 'open')
    } catch (error) {
      throw new RunError(`--trace ${file} cannot be written: ${messageOf(error)}.`, { cause: error })
    }
    return new TraceFile(output, begin, (reason) => observe({ type: 'writeFailed', file, reason: `--trace ${file} ${reason}` }))
  }

  /**
   * Adds a span, whose times are on the coordinator's clock, unless too much waits to be written.
   * @param worker undefined for the coordinator's own spans
   */
  add(worker: string | undefined, { name, begin, end, step, unit }: Span): void {
    if (this.#output.writableLength > MAX_UNWRITTEN) return this.#leaveOut()
    const process = this.#processOf(worker)
    const from = Math.round((begin - this.#begin) * 1e6)
    const to = Math.round((end - this.#begin) * 1e6)
    const row = rowOf[name] === STEPS ? this.#rowOf(process, STEPS, 0) : this.#freeRow(process, rowOf[name], from, to)
    this.#write({ name, ph: 'X', cat: rowOf[name], pid: process.id, tid: row, ts: from, dur: to - from, args: { ...(step === undefined ? {} : { step: step + 1 }), ...(unit === undefined ? {} : { [name === 'test' ? 'block' : 'lane']: unit }) } })
    if (this.#pending.length < MAX_PENDING && to - this.#writtenAt < WRITE_MICROSECONDS) return
    this.#writtenAt = to
    this.#flush()
  }

  /** Writes what waits, and waits for that. */
  async close(): Promise<void> {
    if (this.#broken) return
    if (this.#leftOut > 0) this.#complain(`is without ${this.#leftOut} spans, for which its disk was too slow.`)
    await new Promise<void>((resolve) => {
      this.#output.once('close', resolve)
      this.#output.end(`${this.#pending}${this.#empty ? '[]\n' : '\n]\n'}`)
    })
  }

  #processOf(worker: string | undefined): Process {
    const known = this.#processes.get(worker ?? '')
    if (known !== undefined) return known
    const process = { id: this.#processes.size + 1, rows: new Map<string, Row[]>() }
    this.#processes.set(worker ?? '', process)
    this.#write({ name: 'process_name', ph: 'M', pid: process.id, tid: 0, args: { name: worker === undefined ? COORDINATOR : `worker ${worker}` } })
    return process
  }

  /** Finds or adds the first row of this name whose last span ended by `from`. Relies on spans arriving in the order of their ends. */
  #freeRow(process: Process, name: string, from: number, to: number): number {
    const rows = process.rows.get(name) ?? []
    const free = rows.findIndex((row) => row.end <= from)
    const id = this.#rowOf(process, name, free === -1 ? rows.length : free)
    const row = process.rows.get(name)?.find((each) => each.id === id)
    if (row !== undefined) row.end = to
    return id
  }

  #rowOf(process: Process, name: string, index: number): number {
    const rows = process.rows.get(name) ?? []
    process.rows.set(name, rows)
    if (index < rows.length) return rows[index].id
    const row = { id: ++this.#rows, end: Number.NEGATIVE_INFINITY }
    rows.push(row)
    this.#write({ name: 'thread_name', ph: 'M', pid: process.id, tid: row.id, args: { name: index === 0 ? name : `${name} ${index + 1}` } })
    return row.id
  }

  #leaveOut(): void {
    if (this.#leftOut === 0 && !this.#broken) this.#complain('cannot be written as fast as the run goes on: spans are left out until its disk has caught up.')
    this.#leftOut++
  }

  #flush(): void {
    if (!this.#broken) this.#output.write(this.#pending)
    this.#pending = ''
  }

  #write(event: object): void {
    if (this.#broken) return
    this.#pending += `${this.#empty ? '[\n' : ',\n'}${JSON.stringify(event)}`
    this.#empty = false
  }
}
