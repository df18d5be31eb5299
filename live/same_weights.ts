import type { RunView } from './view.ts'

/** Names the runs that ended with the same weights, as Herd promises for the same options, whatever the cluster. @returns a sentence for each group of them */
export function sameWeights(runs: readonly Pick<RunView, 'summary' | 'facts'>[]): string[] {
  const namesOf = new Map<string, string[]>()
  for (const { summary, facts } of runs) if (summary !== null) namesOf.set(summary.digest, [...(namesOf.get(summary.digest) ?? []), facts.name])
  const groups = [...namesOf.values()].filter(({ length }) => length > 1)
  return groups.map((names) => `${new Intl.ListFormat('en').format(names)} have the same weights, bit for bit.`)
}
