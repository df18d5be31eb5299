import { alternate, type Contender } from '../contender.ts'
import type { BenchSettings, Section } from '../section.ts'
import { startStillCluster } from '../still_cluster.ts'

/** Simulated workers in one process. */
const PER_PROCESS = 8

/** Measures how many workers a coordinator can serve: its processor time per worker and step, from few workers to many. */
export async function limitSection({ rounds, log }: BenchSettings, worlds: readonly number[], steps: number): Promise<Section> {
  const seconds = new Map<number, number[]>()
  const starts = worlds.map((workers) => async (): Promise<Contender> => {
    const ofWorld: number[] = []
    seconds.set(workers, ofWorld)
    return (await startStillCluster({ workers, workersPerProcess: PER_PROCESS, steps })).contender(nameOf(workers), (step) => {
      ofWorld.push(step.seconds * 1000)
      return (step.cpuSeconds * 1000) / workers
    })
  })
  const values = await alternate(starts, rounds, (line) => log(`limit: ${line}`))
  return {
    title: "The coordinator's limit",
    about: `Workers that compute nothing, ${PER_PROCESS} in a process, with real sockets and payloads, on the coordinator's own cores.`,
    unit: 'ms of processor time a worker and step', more: false,
    // A single worker is no baseline, since it bears all costs of a step alone.
    baseline: nameOf(worlds.find((workers) => workers >= PER_PROCESS) ?? worlds[0]),
    measures: [...values].map(([name, ofName]) => ({ name, values: ofName })),
    derived: [...seconds].map(([workers, ofWorld]) => ({ name: `a step with ${nameOf(workers)}`, unit: 'ms', values: ofWorld })),
    notes: [],
  }
}

function nameOf(workers: number): string {
  return `${workers} worker${workers === 1 ? '' : 's'}`
}
