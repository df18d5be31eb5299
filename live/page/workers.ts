import type { MemberView, RunView } from '../view.ts'
import { whenChanged } from './dom.ts'
import { card, type Section, type Shown } from './shown.ts'
import { LanesStrip } from './strip.ts'
import { WorkerColours } from './worker_colours.ts'
import { WorkerTable } from './worker_table.ts'
import { WorkerWatch } from './worker_watch.ts'

/** The memory of a run's workers while the page is open. */
interface Remembered {
  colours: WorkerColours
  watch: WorkerWatch
}

/** The workers of the run: what each does, how fast it is, and which lanes it computed. */
export function workersSection(): Section {
  const remembered = new Map<number, Remembered>()
  const table = new WorkerTable()
  const strip = new LanesStrip()
  const element = card('workers', 'Workers', table.element, strip.element)
  const showMembers = whenChanged((members: MemberView[], state: RunView['state'], { colours, watch }: Remembered) => {
    table.update(members, watch, colours, nobodyIn(state))
  })
  const showStrips = whenChanged((strips: RunView['strips'], { colours }: Remembered) => strip.update(strips, colours))
  return {
    element,
    update({ runs, selected, view, live }: Shown): void {
      element.hidden = !live && view.members.length === 0 && view.strips.length === 0
      // Runs whose details are not shown are followed too, since they may be chosen next.
      runs.forEach((run, index) => {
        const known = remembered.get(index) ?? { colours: new WorkerColours(), watch: new WorkerWatch() }
        remembered.set(index, known)
        known.colours.see(run)
        known.watch.see(run.members, new Date())
      })
      const shown = remembered.get(selected)
      if (shown === undefined) return
      showMembers(view.members, view.state, shown)
      showStrips(view.strips, shown)
    },
  }
}

function nobodyIn(state: RunView['state']): string {
  switch (state) {
    case 'waiting':
      return 'No worker is in: the run goes on when they come.'
    case 'training':
    case 'evaluating':
      return 'No worker is in.'
    case 'finished':
    case 'stopped':
    case 'failed':
    case 'interrupted':
      return ''
  }
}
