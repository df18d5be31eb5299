import { readdirSync } from 'node:fs'
import path from 'node:path'
import protobuf from 'protobufjs'
import { GrowingFile } from '../kit/growing_file.ts'
import { recordOf } from './record.ts'
import { ROOT } from '../kit/project.ts'

/** The surroundings of an event file: the clock, and what its name is made of. */
export interface EventFileSurroundings {
  /** Current time in seconds since 1970. */
  now: () => number
  host: string
  pid: number
}

/** The content of an event, with the field names of event.proto in camel case. */
type What =
  | { fileVersion: string }
  | { sessionLog: { status: number } }
  | { summary: { value: ({ tag: string; simpleValue: number } | { tag: string; image: { height: number; width: number; colorspace: number; encodedImageString: Uint8Array } })[] } }

const Event = protobuf.loadSync(path.join(ROOT, 'shared/tensorboard/event.proto')).lookupType('herd.tensorboard.Event')
const START = 1
const RGB = 3

/** Prefix by which TensorBoard recognises its files. Behind it, up to the next full stop, is the time when the file was begun. */
const PREFIX = 'events.out.tfevents.'
/** Seconds between two writes; readers look for news every few seconds. */
const WRITE_EVERY_SECONDS = 1
/** Limit of the events that wait in memory; further ones are dropped, since a disk may stay full for days. */
const MAX_WAITING_BYTES = 32 * 1024 * 1024

/** Number of files that this process has opened; it tells apart the names of two files begun in the same second. */
let opened = 0

/**
 * A file for TensorBoard in a run's folder. Events are collected and written about once a second, in the background. Events that cannot be written
 * (disk full) wait, in their order, for the next write: a failure leaves no half record in the file.
 */
export class EventFile {
  readonly file: string
  readonly #records: GrowingFile
  readonly #now: () => number
  #triedAt: number

  private constructor(file: string, now: () => number, firstStep: number) {
    this.file = file
    this.#records = new GrowingFile(file)
    this.#now = now
    this.#triedAt = now()
    this.#wait(0, { fileVersion: 'brain.Event:2' })
    // TensorBoard takes the first START among all files as the beginning of the run, and each later one as a restart.
    this.#wait(firstStep, { sessionLog: { status: START } })
  }

  /**
   * Opens an event file whose name sorts after those in the folder. It is created at the first write.
   * @param folder the run's folder
   * @param firstStep first step that this file has: TensorBoard then no longer shows what earlier files have of this step and later ones, which
   *   is computed again
   */
  static open(folder: string, firstStep: number, { now, host, pid }: EventFileSurroundings): EventFile {
    return new EventFile(path.join(folder, `${PREFIX}${String(begunAt(folder, now())).padStart(10, '0')}.${host}.${pid}.${opened++}`), now, firstStep)
  }

  /**
   * Adds values by their tags. Settles when they are in the file, or wait for the next write.
   * @throws WriteError if the disk refuses: the event then waits
   */
  scalars(step: number, values: Readonly<Record<string, number>>): Promise<void> {
    return this.#add(step, { summary: { value: Object.entries(values).map(([tag, simpleValue]) => ({ tag, simpleValue })) } })
  }

  /**
   * Adds a picture. Settles when it is in the file, or waits for the next write.
   * @param picture PNG or JPEG file of an RGB picture
   * @throws WriteError if the disk refuses: the event then waits
   */
  image(step: number, tag: string, picture: Uint8Array, width: number, height: number): Promise<void> {
    return this.#add(step, { summary: { value: [{ tag, image: { height, width, colorspace: RGB, encodedImageString: picture } }] } })
  }

  /**
   * Writes the events that wait.
   * @throws WriteError if the disk refuses
   */
  async flush(): Promise<void> {
    this.#triedAt = this.#now()
    await this.#records.write()
  }

  async #add(step: number, what: What): Promise<void> {
    this.#wait(step, what)
    if (this.#now() - this.#triedAt >= WRITE_EVERY_SECONDS) await this.flush()
  }

  #wait(step: number, what: What): void {
    const record = recordOf(Event.encode({ wallTime: this.#now(), step, ...what }).finish())
    if (this.#records.waitingBytes + record.length <= MAX_WAITING_BYTES) this.#records.add(record)
  }
}

/**
 * Returns the time in seconds for a new file's name. TensorBoard reads files in the order of their names, so a clock that was set back must not
 * put this file before existing ones.
 */
function begunAt(folder: string, now: number): number {
  const earlier = namesIn(folder).flatMap((name) => (name.startsWith(PREFIX) ? [Number.parseInt(name.slice(PREFIX.length), 10)] : []))
  return Math.max(Math.floor(now), ...earlier.filter((seconds) => Number.isFinite(seconds)).map((seconds) => seconds + 1))
}

/** Lists the names in a folder; none if it cannot be read, because writing will report that. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
