import path from 'node:path'
import { nodeArguments } from '../../../shared/kit/node_process.ts'
import type { Costs } from '../../../cli/plan/costs.ts'
import { onLoopback } from '../../../cli/plan/fit.ts'
import { stillExchange } from '../../../cli/plan/speed_model.ts'
import { figure } from '../../../shared/kit/figure.ts'
import { makeHosts, type Host } from '../../hosts/hosts.ts'
import { listeningSchema } from '../cluster_options.ts'
import type { Contender } from '../contender.ts'
import { RoundProcess } from '../round_process.ts'
import type { BenchSettings, Section } from '../section.ts'
import { floatsOf, lanesOf, startStillCluster } from '../still_cluster.ts'

const RELAY = path.join(import.meta.dirname, '../../hosts/relay_main.js')

/** A simulated network: bandwidth of every host's link to one switch, and latency one way in seconds. */
interface MadeNetwork {
  name: string
  bitsPerSecond: number
  latency: number
  /** Steps of a round. */
  steps: number
}

const NETWORKS: readonly MadeNetwork[] = [
  { name: '100 Mbit/s', bitsPerSecond: 100e6, latency: 0, steps: 2 },
  { name: '1 Gbit/s', bitsPerSecond: 1e9, latency: 0, steps: 10 },
  { name: '1 Gbit/s, 5 ms', bitsPerSecond: 1e9, latency: 0.005, steps: 10 },
  { name: '1 Gbit/s, 25 ms', bitsPerSecond: 1e9, latency: 0.025, steps: 10 },
]
const WORKERS = [1, 2, 4]

/**
 * Compares the model's predictions with measurements: still workers on hosts of their own, that is network namespaces with limited links
 * between them. None of these measurements was used to fit the costs.
 */
export async function networkSection({ rounds, log }: BenchSettings, costs: Costs, cores: number): Promise<Section> {
  const measures: Section['measures'] = []
  const derived: Section['derived'] = []
  for (const network of NETWORKS) {
    for (const workers of WORKERS) {
      const name = `${network.name}, ${workers} worker${workers === 1 ? '' : 's'}`
      const seconds = await measure(network, workers, rounds)
      const predicted = predictSeconds(costs, network, workers, cores)
      const ratios = seconds.map((measured) => predicted / measured)
      log(`network: ${name}: measured ${seconds.map((one) => (one * 1000).toFixed(0)).join(', ')} ms, predicted ${(predicted * 1000).toFixed(0)} ms`)
      measures.push({ name, values: seconds.map((one) => one * 1000) })
      derived.push({ name: `${name}: predicted ${figure(predicted * 1000)} ms, over measured`, unit: 'times', values: ratios })
    }
  }
  return {
    title: 'The model of a cluster against networks made here',
    about: 'Steps of workers that compute nothing, 8.9 MB of gradients each, on hosts of their own: network namespaces whose links to one switch are limited by tc; latency is added one way by a relay. All share the cores of this machine.',
    unit: 'ms a step', more: false,
    baseline: measures[0].name,
    measures, derived, notes: [],
  }
}

/** Seconds of a step of still workers in such a network on one machine, by the model. */
export function predictSeconds(costs: Costs, { bitsPerSecond, latency }: MadeNetwork, workers: number, cores: number): number {
  const bytes = bitsPerSecond / 8
  return stillExchange(costs, { ...onLoopback({ workers, lanes: lanesOf(workers), floats: floatsOf() }, cores), network: { worker: bytes, coordinator: bytes, latency } })
}

/** Measures the seconds of a step in each round. */
async function measure(network: MadeNetwork, workers: number, rounds: number): Promise<number[]> {
  const { hosts, remove } = await makeHosts(workers + 1)
  try {
    for (const host of hosts) await host.limit(network.bitsPerSecond)
    const contender = await start(network, hosts[0], hosts.slice(1))
    try {
      const seconds: number[] = []
      for (let round = 0; round < rounds; round++) seconds.push(await contender.round())
      return seconds
    } finally {
      await contender.close()
    }
  } finally {
    await remove()
  }
}

async function start({ name, latency, steps }: MadeNetwork, coordinator: Host, workers: readonly Host[]): Promise<Contender> {
  let relay: RoundProcess | undefined
  const via = async (target: string): Promise<string> => {
    if (latency === 0) return target
    const [command, ...rest] = [...coordinator.launcher, process.execPath, ...nodeArguments(RELAY), JSON.stringify({ host: coordinator.address, target, seconds: latency })]
    relay = new RoundProcess(command, rest)
    return listeningSchema.parse(await relay.next()).address
  }
  try {
    const cluster = await startStillCluster({
      workers: workers.length, workersPerProcess: 1, host: coordinator.address, steps,
      places: { coordinator: coordinator.launcher, worker: (index) => workers[index].launcher, via },
    })
    const { round, close } = cluster.contender(name, ({ seconds }) => seconds)
    return { name, round, close: async () => void (await Promise.all([close(), relay?.close()])) }
  } catch (error) {
    await relay?.close()
    throw error
  }
}
