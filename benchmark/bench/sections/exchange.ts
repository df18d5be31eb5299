import path from 'node:path'
import type { Compression } from '../../../shared/compress/format.ts'
import { writeCertificates } from '../certificates.ts'
import { alternate, type Contender } from '../contender.ts'
import { WITHOUT_PEERS, type BenchSettings, type Section } from '../section.ts'
import { floatsOf, startStillCluster } from '../still_cluster.ts'

const size = floatsOf()

/** Settings whose combinations are measured. */
interface Variants {
  /** Numbers of workers, and of processes of gloo. */
  worlds: readonly number[]
  reducers: readonly number[]
  compress: readonly Compression[]
  /** Steps of one round. */
  steps: number
}

interface Variant {
  reducers: number
  compress: Compression
  sharedMemory: 'auto' | 'off'
  /** A folder of certificates, for mutual TLS. */
  certificates?: string
}

/** Measures the exchange alone, against gloo's all-reduce alone. */
export async function exchangeSection({ rounds, peers, log, folder }: BenchSettings, { worlds, reducers, compress, steps }: Variants): Promise<Section> {
  const overSockets = compress.flatMap((format) => reducers.map((count): Variant => ({ reducers: count, compress: format, sharedMemory: 'off' })))
  const byTls = { reducers: 1, compress: 'none', sharedMemory: 'off', certificates: await writeCertificates(path.join(folder, 'certificates')) } as const
  const throughMemory = { reducers: 1, compress: 'none', sharedMemory: 'auto' } as const
  const [plainest, ...others] = [...overSockets, byTls, throughMemory]
  const variants = [plainest, ...others]
  const starts = worlds.flatMap((workers) => {
    const own = variants.map((variant) => async (): Promise<Contender> => (await startStillCluster({ workers, workersPerProcess: 1, steps, ...variant })).contender(herdName(workers, variant), ({ seconds }) => seconds * 1000))
    if (peers === undefined) return own
    return [...own, () => peers.startWorld(peerName(workers), 'allreduce.py', ['--floats', String(size), '--steps', String(steps)], workers, (seconds) => seconds * 1000)]
  })
  const values = await alternate(starts, rounds, (line) => log(`exchange: ${line}`))
  return {
    title: 'The exchange alone',
    about: `${((size * 4) / 1e6).toFixed(1)} MB of float32 gradients from each worker on loopback. Herd: deal, upload, reduce, Adam, and the new weights to each worker, which computes nothing; through sockets, as with workers on other machines, where it does not say through memory; a format is that of gradients and weights. gloo: all-reduce of the same vector, and nothing else.`,
    unit: 'ms a step', more: false,
    baseline: peers === undefined ? herdName(worlds[0], plainest) : peerName(worlds[0]),
    measures: [...values].map(([name, ofName]) => ({ name, values: ofName })),
    derived: worlds.flatMap((workers) => [
      ...(peers === undefined ? [] : variants.map((variant) => ratio(values, `${herdName(workers, variant)}, over gloo`, herdName(workers, variant), peerName(workers)))),
      ...others.map((variant) => ratio(values, `rate of ${herdName(workers, variant)}, over ${herdName(workers, plainest)}`, herdName(workers, plainest), herdName(workers, variant))),
    ]),
    notes: peers === undefined ? [WITHOUT_PEERS] : [],
  }
}

function ratio(values: ReadonlyMap<string, number[]>, name: string, over: string, under: string): { name: string; unit: string; values: number[] } {
  return { name, unit: 'times', values: (values.get(over) ?? []).map((value, round) => value / (values.get(under) ?? [])[round]) }
}

function herdName(workers: number, { reducers, compress, sharedMemory, certificates }: Variant): string {
  return [`Herd, ${workers} workers`, ...(sharedMemory === 'off' ? [] : ['through memory']), ...(certificates === undefined ? [] : ['TLS']), ...(reducers === 1 ? [] : [`${reducers} reducers`]), ...(compress === 'none' ? [] : [compress])].join(', ')
}

function peerName(workers: number): string {
  return `gloo all-reduce, ${workers} processes`
}
