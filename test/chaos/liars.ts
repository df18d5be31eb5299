import path from 'node:path'
import type { EventLine } from '../../shared/run_folder/schemas.ts'
import { Program } from '../support/processes.ts'
import { lieKinds } from '../simulation/liar.ts'
import type { ChaosCluster } from './cluster.ts'

/**
 * Ways in which a worker lies: with the sums of its lanes; with weights of which a bit is another one, as in broken memory; with a sum that it passes
 * off as that of all lanes (`forged root`); or with the first chunk of a sum that it then does not finish (`unfinished`).
 */
export const lyingKinds = [...lieKinds, 'weights', 'forged root', 'unfinished'] as const
export type LyingKind = (typeof lyingKinds)[number]

/** Number of epochs that the run goes on before the first liar joins, so that there is something to spoil. */
const FIRST_EPOCH = 1

/** Starts a liar: the program `liar_main.ts`, with a worker's arguments. */
export function startLiar(kind: LyingKind, args: readonly string[], environment: Record<string, string>): Program {
  return new Program('worker', [kind, ...args], environment, [], { file: path.join(import.meta.dirname, 'liar_main.js') })
}

/**
 * Lets liars join a run, one after the other: the next one when the run's events name the one before, or the run is over.
 * @param readEvents reads the run's events so far
 */
export async function joinLiars(cluster: ChaosCluster, kinds: readonly LyingKind[], { data, environment, readEvents }: { data: string; environment: Record<string, string>; readEvents: () => Promise<EventLine[]> }): Promise<void> {
  await cluster.waits(() => cluster.epoch >= FIRST_EPOCH)
  for (const kind of kinds) {
    if (cluster.over) return
    const program = startLiar(kind, ['--coordinator', cluster.address, '--data', data, '--name', nameOf(kind)], environment)
    try {
      while (!cluster.over && !namedIn(await readEvents(), kind)) await cluster.pause()
    } finally {
      if (program.child.exitCode === null) await program.stop('SIGKILL')
      cluster.note(nameOf(kind), program)
    }
  }
}

/** Returns the name of the worker that lies in a way. */
export function nameOf(kind: LyingKind): string {
  return `liar-${kind.replace(' ', '-')}`
}

/**
 * True if events name a liar for what it has done: as one that lied, or, where what it sent cannot be anybody's, as one that was put out of the
 * membership for it.
 */
export function namedIn(events: readonly EventLine[], kind: LyingKind): boolean {
  const name = nameOf(kind)
  return events.some((event) => (event.event === 'workerLied' && event.identity === name) || (kind === 'forged root' && event.event === 'workerLost' && event.worker === name && String(event.reason).includes('dealt')))
}
