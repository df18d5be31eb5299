import type { RunView } from '../view.ts'

/** Indices of workers' colours and numbers: a worker keeps its index as long as the page is open, also once it is gone. */
export class WorkerColours {
  readonly #indices = new Map<string, number>()

  /** Gives new workers an index, in the order in which the run had them, so that a page opened later mostly gives the same ones. */
  see({ strips, members }: Pick<RunView, 'strips' | 'members'>): void {
    for (const { name } of members) this.indexOf(name)
    for (const { computedBy } of strips) for (const name of computedBy) this.indexOf(name)
  }

  indexOf(name: string): number {
    const known = this.#indices.get(name)
    if (known !== undefined) return known
    this.#indices.set(name, this.#indices.size)
    return this.#indices.size - 1
  }
}
