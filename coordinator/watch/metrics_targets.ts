import { Turns } from '../../shared/kit/async.ts'
import { writeAtomically } from '../../shared/kit/atomic_file.ts'
import { messageOf } from '../../shared/kit/errors.ts'
import type { ClusterStatus } from '../contract/cluster.ts'
import type { Observer } from '../contract/events.ts'

/**
 * The file from which Prometheus discovers the workers (file_sd_configs), rewritten when a worker joins or leaves. A write
 * error is reported once, and again only after a write has succeeded in between.
 */
export class MetricsTargets {
  readonly #file: string
  readonly #status: () => ClusterStatus | undefined
  readonly #report: Observer
  #written: string | undefined
  readonly #writing = new Turns()
  #failing = false

  constructor(file: string, status: () => ClusterStatus | undefined, report: Observer) {
    this.#file = file
    this.#status = status
    this.#report = report
  }

  readonly observe: Observer = ({ type }) => {
    if (type === 'started' || type === 'workerJoined' || type === 'workerLost' || type === 'workerLeft') this.#update()
  }

  /** Empties the list of targets. Settles when the file is written, or could not be. */
  async close(): Promise<void> {
    this.#write([])
    await this.#writing.ended()
  }

  #update(): void {
    // The event comes while the member is still being added or removed; the microtask reads the status afterwards.
    queueMicrotask(() => this.#write(this.#status()?.metricsTargets ?? []))
  }

  #write(targets: string[]): void {
    const content = `${JSON.stringify([{ targets }], undefined, 2)}\n`
    if (content === this.#written) return
    this.#written = content
    void this.#writing.take(async () => {
      try {
        await writeAtomically(this.#file, [content], { durable: false })
        this.#failing = false
      } catch (error) {
        if (!this.#failing) this.#report({ type: 'writeFailed', file: this.#file, reason: `--metrics-targets ${this.#file} cannot be written: ${messageOf(error)}.` })
        this.#failing = true
        this.#written = undefined
      }
    })
  }
}
