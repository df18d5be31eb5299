import { alternate, type Contender } from '../contender.ts'
import { WITHOUT_PEERS, type BenchSettings, type Section } from '../section.ts'
import { floatsOf, startStillCluster, STILL_STEPS } from '../still_cluster.ts'

const size = floatsOf()

/** The exchange alone, against gloo's all-reduce alone. */
export async function exchangeSection({ rounds, peers, log }: BenchSettings, worlds: readonly number[], reducers: readonly number[]): Promise<Section> {
  const starts = worlds.flatMap((workers) => {
    const own = reducers.map((count) => async (): Promise<Contender> => (await startStillCluster({ workers, workersPerProcess: 1, reducers: count })).contender(herdName(workers, count), ({ seconds }) => seconds * 1000))
    if (peers === undefined) return own
    return [...own, () => peers.startWorld(peerName(workers), 'allreduce.py', ['--floats', String(size), '--steps', String(STILL_STEPS)], workers, (seconds) => seconds * 1000)]
  })
  const values = await alternate(starts, rounds, (line) => log(`exchange: ${line}`))
  return {
    title: 'The exchange alone',
    about: `${((size * 4) / 1e6).toFixed(1)} MB of float32 gradients from each worker on loopback. Herd: deal, upload, reduce, Adam, and the new weights to each worker, which computes nothing. gloo: all-reduce of the same vector, and nothing else.`,
    unit: 'ms a step', more: false,
    baseline: peers === undefined ? herdName(worlds[0], reducers[0]) : peerName(worlds[0]),
    measures: [...values].map(([name, ofName]) => ({ name, values: ofName })),
    derived: worlds.flatMap((workers) => [
      ...(peers === undefined ? [] : reducers.map((count) => ratio(values, `${herdName(workers, count)}, over gloo`, herdName(workers, count), peerName(workers)))),
      ...reducers.slice(1).map((count) => ratio(values, `rate of ${herdName(workers, count)}, over ${reducersName(reducers[0])}`, herdName(workers, reducers[0]), herdName(workers, count))),
    ]),
    notes: peers === undefined ? [WITHOUT_PEERS] : [],
  }
}

function ratio(values: ReadonlyMap<string, number[]>, name: string, over: string, under: string): { name: string; unit: string; values: number[] } {
  return { name, unit: 'times', values: (values.get(over) ?? []).map((value, round) => value / (values.get(under) ?? [])[round]) }
}

function reducersName(reducers: number): string {
  return `${reducers} reducer${reducers === 1 ? '' : 's'}`
}

function herdName(workers: number, reducers: number): string {
  return reducers === 1 ? `Herd, ${workers} workers` : `Herd, ${workers} workers, ${reducersName(reducers)}`
}

function peerName(workers: number): string {
  return `gloo all-reduce, ${workers} processes`
}
