import { readdirSync } from 'node:fs'
import path from 'node:path'
import protobuf from 'protobufjs'
import { appendWhole } from '../kit/append_whole.ts'
import { messageOf, WriteError } from '../kit/errors.ts'
import { recordOf } from './record.ts'
import { ROOT } from '../kit/project.ts'

export interface EventFileSurroundings {
  /** Seconds since 1970. */
  now: () => number
  host: string
  pid: number
}

/** An event, by the names of event.proto in camel case. */
type What =
  | { fileVersion: string }
  | { sessionLog: { status: number } }
  | { summary: { value: ({ tag: string; simpleValue: number } | { tag: string; image: { height: number; width: number; colorspace: number; encodedImageString: Uint8Array } })[] } }

const Event = protobuf.loadSync(path.join(ROOT, 'shared/tensorboard/event.proto')).lookupType('herd.tensorboard.Event')
const START = 1
const RGB = 3

/** What TensorBoard looks for in a name; what comes before the first full stop behind it is when the file was begun. */
const PREFIX = 'events.out.tfevents.'
/** Readers look every few seconds. */
const WRITE_EVERY_SECONDS = 1
/** A disk may stay full for days: what comes when so much waits is left out. */
const MAX_WAITING_BYTES = 32 * 1024 * 1024

/** Files of this process, which tells two of one second apart. */
let opened = 0

/**
 * A file for TensorBoard in a run's folder. Events are gathered and written about once a second. Those that cannot be
 * written (disk full) wait, in their order, for the next time: a failure leaves the file without half a record.
 */
export class EventFile {
  readonly file: string
  readonly #now: () => number
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #triedAt: number

  private constructor(file: string, now: () => number, firstStep: number) {
    this.file = file
    this.#now = now
    this.#triedAt = now()
    this.#wait(0, { fileVersion: 'brain.Event:2' })
    // TensorBoard takes the first of all the files for the beginning of the run, and each later one for a restart.
    this.#wait(firstStep, { sessionLog: { status: START } })
  }

  /**
   * Names a file that comes after those in the folder; it is made when it is first written to.
   * @param firstStep what earlier files have of this step and later ones is computed again, and not shown any more
   */
  static open(folder: string, firstStep: number, { now, host, pid }: EventFileSurroundings): EventFile {
    return new EventFile(path.join(folder, `${PREFIX}${String(begunAt(folder, now())).padStart(10, '0')}.${host}.${pid}.${opened++}`), now, firstStep)
  }

  /** @throws WriteError where the disk refuses: the event then waits. */
  scalars(step: number, values: Readonly<Record<string, number>>): void {
    this.#add(step, { summary: { value: Object.entries(values).map(([tag, simpleValue]) => ({ tag, simpleValue })) } })
  }

  /** @param picture RGB, as PNG or JPEG. @throws WriteError where the disk refuses: the event then waits. */
  image(step: number, tag: string, picture: Uint8Array, width: number, height: number): void {
    this.#add(step, { summary: { value: [{ tag, image: { height, width, colorspace: RGB, encodedImageString: picture } }] } })
  }

  /** Writes what waits. @throws WriteError where the disk refuses. */
  flush(): void {
    if (this.#waiting.length === 0) return
    this.#triedAt = this.#now()
    try {
      appendWhole(this.file, Buffer.concat(this.#waiting), false)
    } catch (error) {
      throw new WriteError(`${this.file} cannot be written: ${messageOf(error)}.`, { cause: error })
    }
    this.#waiting = []
    this.#waitingBytes = 0
  }

  #add(step: number, what: What): void {
    this.#wait(step, what)
    if (this.#now() - this.#triedAt >= WRITE_EVERY_SECONDS) this.flush()
  }

  #wait(step: number, what: What): void {
    const record = recordOf(Event.encode({ wallTime: this.#now(), step, ...what }).finish())
    if (this.#waitingBytes + record.length > MAX_WAITING_BYTES) return
    this.#waiting.push(record)
    this.#waitingBytes += record.length
  }
}

/** TensorBoard reads files in the order of their names: a clock that was put back must not put this one before those there are. */
function begunAt(folder: string, now: number): number {
  const earlier = namesIn(folder).flatMap((name) => (name.startsWith(PREFIX) ? [Number.parseInt(name.slice(PREFIX.length), 10)] : []))
  return Math.max(Math.floor(now), ...earlier.filter((seconds) => Number.isFinite(seconds)).map((seconds) => seconds + 1))
}

/** None of a folder that cannot be read: writing will tell. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
