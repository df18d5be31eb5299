import { bestOf } from './results.ts'
import { quotedPath } from '../../live/report/run_sections.ts'
import { sweepPage } from '../../live/report/sweep.ts'
import { Turns } from '../../shared/kit/async.ts'
import { shownPath } from '../../shared/kit/paths.ts'
import { svgOf } from '../../shared/pictures/drawing.ts'
import type { Sweep } from '../../shared/run_folder/sweep.ts'
import type { SweepFolder } from './folder.ts'
import type { SweepSpec } from './spec.ts'
import type { RunningSweep } from './sweep.ts'
import { sweepCsv } from './table.ts'
import type { Trial } from './trials.ts'

/** Least time between two pages while the sweep goes on: drawing takes seconds of a core that trains. */
const PAGE_EVERY_MS = 60_000

/** Writes what a sweep has come to, whenever a run has ended. */
export class SweepRecord {
  readonly #folder: SweepFolder
  readonly #spec: SweepSpec
  readonly #trials: readonly Trial[]
  readonly #turns = new Turns()
  readonly #now: () => number
  #pageAt: number

  /** @param now milliseconds on a clock that only goes forward */
  constructor(folder: SweepFolder, spec: SweepSpec, trials: readonly Trial[], now: () => number = () => performance.now()) {
    this.#folder = folder
    this.#spec = spec
    this.#trials = trials
    this.#now = now
    this.#pageAt = now()
  }

  /** Writes table and state, and now and then the page. @throws WriteError if the disk refuses */
  keep(sweep: RunningSweep): Promise<void> {
    return this.#turns.take(async () => {
      await this.#writeState(sweep.result)
      if (this.#now() - this.#pageAt >= PAGE_EVERY_MS) await this.#writePage(sweep)
    })
  }

  /** Writes everything. @throws WriteError if the disk refuses */
  finish(sweep: RunningSweep): Promise<void> {
    return this.#turns.take(async () => {
      await this.#writeState(sweep.result)
      await this.#writePage(sweep)
    })
  }

  async #writeState(sweep: Sweep): Promise<void> {
    const folder = this.#folder
    await folder.writeState(sweep)
    await folder.writeText(folder.tableFile, sweepCsv(sweep))
    const best = bestOf(sweep.trials)
    const recipe = this.#trials.find(({ number }) => number === best?.number)?.recipe
    if (recipe !== undefined) await folder.writeText(folder.bestFile, `${JSON.stringify(recipe, undefined, 2)}\n`)
  }

  async #writePage(running: RunningSweep): Promise<void> {
    const sweep = running.result
    const best = bestOf(sweep.trials)
    const parts = { sweep, histories: running.histories, best, command: best === undefined ? undefined : bestCommand(this.#spec, this.#folder), writtenAt: new Date() }
    await this.#folder.writeText(this.#folder.pageFile, await sweepPage(parts, (drawing) => Promise.resolve(svgOf(drawing))))
    this.#pageAt = this.#now()
  }
}

/** Writes the command that trains with the best recipe on the whole training part. */
export function bestCommand({ data, localWorkers }: SweepSpec, folder: SweepFolder): string {
  return `npx coordinator --data ${quotedPath(data)} --recipe ${quotedPath(shownPath(folder.bestFile))} ${localWorkers === null ? '--single-node' : `--local-workers ${localWorkers}`}`
}
