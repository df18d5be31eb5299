/** Adds to the count of a kind; 1 by default. */
export type Count = (kind: string, by?: number) => void

/** Counts of events, by kind. */
export class Statistics {
  readonly counts: Record<string, number> = {}

  readonly count: Count = (kind, by = 1) => {
    this.counts[kind] = (this.counts[kind] ?? 0) + by
  }

  merge(other: Readonly<Record<string, number>>): void {
    for (const [kind, by] of Object.entries(other)) this.count(kind, by)
  }
}
