import { createWriteStream, type WriteStream } from 'node:fs'
import { once } from 'node:events'
import { messageOf, RunError } from '../../shared/kit/errors.ts'
import type { Span, SpanName } from '../../shared/trace/span.ts'
import type { Observer } from '../contract/events.ts'

/** The coordinator's place in a trace. */
const COORDINATOR = 'coordinator'
/** What is told of is written after a second, or when there is much of it. */
const WRITE_MICROSECONDS = 1e6
const MAX_PENDING = 64 * 1024
/** The row in which spans lie inside each other. */
const STEPS = 'steps'
/** Row of a process that a span is drawn in. */
const rowOf: Record<SpanName, string> = {
  // An evaluation may go on beside several steps.
  evaluation: 'evaluation', step: STEPS, 'lanes wait': STEPS, reduce: STEPS, optimizer: STEPS, broadcast: STEPS,
  compute: 'engine', test: 'engine', feed: 'feed', collect: 'feed', idle: 'waits', 'weights wait': 'waits', 'input wait': 'waits', upload: 'upload', decode: 'decode',
}

interface Row {
  id: number
  /** Of the last span in it, in microseconds. */
  end: number
}

interface Process {
  id: number
  /** By name; spans of one name that overlap, such as images that are decoded side by side, get rows of their own. */
  rows: Map<string, Row[]>
}

/**
 * A trace in the JSON array format of Chrome's Trace Event Format, which Perfetto opens: one process for the coordinator and
 * each worker, complete events ("ph": "X"), times in microseconds since the trace began, by the coordinator's clock. The
 * format needs no closing bracket, so that what a crash leaves can be opened too.
 */
export class TraceFile {
  readonly #output: WriteStream
  readonly #begin: number
  readonly #processes = new Map<string, Process>()
  #rows = 0
  #empty = true
  /** Events that wait to be written together: one by one, writing would cost more than what they tell of. */
  #pending = ''
  #writtenAt = 0
  #broken = false

  private constructor(output: WriteStream, begin: number, onBroken: (error: Error) => void) {
    this.#output = output
    this.#begin = begin
    output.on('error', (error) => {
      if (!this.#broken) onBroken(error)
      this.#broken = true
    })
  }

  /**
   * @param begin time of the trace's beginning, in seconds of the clock of its spans
   * @param observe is told, once, when the disk refuses; the trace then ends.
   * @throws RunError where the file cannot be made.
   */
  static async open(file: string, begin: number, observe: Observer): Promise<TraceFile> {
    const output = createWriteStream(file)
    try {
      await once(output, 'open')
    } catch (error) {
      throw new RunError(`--trace ${file} cannot be written: ${messageOf(error)}.`, { cause: error })
    }
    return new TraceFile(output, begin, (error) => observe({ type: 'writeFailed', file, reason: `--trace ${file} cannot be written: ${error.message}. The trace ends here.` }))
  }

  /** @param worker undefined: the coordinator's own. Times by the coordinator's clock. */
  add(worker: string | undefined, { name, begin, end, step, unit }: Span): void {
    const process = this.#processOf(worker)
    const from = Math.round((begin - this.#begin) * 1e6)
    const to = Math.round((end - this.#begin) * 1e6)
    const row = rowOf[name] === STEPS ? this.#rowOf(process, STEPS, 0) : this.#freeRow(process, rowOf[name], from, to)
    this.#write({ name, ph: 'X', cat: rowOf[name], pid: process.id, tid: row, ts: from, dur: to - from, args: { ...(step === undefined ? {} : { step: step + 1 }), ...(unit === undefined ? {} : { [name === 'test' ? 'block' : 'lane']: unit }) } })
    if (this.#pending.length < MAX_PENDING && to - this.#writtenAt < WRITE_MICROSECONDS) return
    this.#writtenAt = to
    this.#flush()
  }

  async close(): Promise<void> {
    if (this.#broken) return
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

  /** The first row of a name whose last span has ended: spans come in the order of their ends. */
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
