import { Turns } from '../../shared/kit/async.ts'
import { writeAtomically } from '../../shared/kit/atomic_file.ts'
import { messageOf } from '../../shared/kit/errors.ts'
import type { ClusterStatus } from '../contract/cluster.ts'
import type { Observer } from '../contract/events.ts'

/**
 * The file from which Prometheus discovers the workers (file_sd_configs): written anew when one comes or goes. A disk that
 * refuses is reported once, until it could be written again.
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

  /** Nobody is to be scraped any more. */
  async close(): Promise<void> {
    this.#write([])
    await this.#writing.ended()
  }

  #update(): void {
    // A member is told of while it is being taken in or forgotten: what there is to see afterwards counts.
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
