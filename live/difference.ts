import { isDeepStrictEqual } from 'node:util'
import type { RunPatch, RunView } from './view.ts'

const FIELDS = ['facts', 'state', 'startedAt', 'progress', 'members', 'evaluation', 'summary', 'report'] as const
const LISTS = [['history', 'newHistory'], ['steps', 'newSteps'], ['strips', 'newStrips'], ['events', 'newEvents']] as const

/** The patch that turns an older view of a run into a newer one; undefined if they are alike. */
export function difference(older: RunView, newer: RunView): RunPatch | undefined {
  const patch: RunPatch = {}
  for (const field of FIELDS) if (!isDeepStrictEqual(older[field], newer[field])) Object.assign(patch, { [field]: newer[field] })
  for (const [list, added] of LISTS) {
    const place = newer[list].findLastIndex((one) => isDeepStrictEqual(one, older[list].at(-1)))
    // A run that was resumed from an earlier epoch repeats some epochs: the list is then replaced.
    if (place === -1 && older[list].length > 0) Object.assign(patch, { [list]: newer[list] })
    else if (place + 1 < newer[list].length) Object.assign(patch, { [added]: newer[list].slice(place + 1) })
  }
  return Object.keys(patch).length === 0 ? undefined : patch
}
