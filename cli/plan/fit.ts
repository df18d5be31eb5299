import type { Costs, Work } from './costs.ts'
import { dealLanes } from './dealt_lanes.ts'
import { leastSquares } from './least_squares.ts'
import { stillExchange, type Cluster } from './speed_model.ts'

/** Measured time in which one compute process computes `lanes` lanes of `imagesPerLane` images each. */
export interface ComputeMeasurement {
  lanes: number
  imagesPerLane: number
  seconds: number
}

/** Measured step of workers that compute nothing, all on one machine. */
export interface ExchangeMeasurement {
  workers: number
  lanes: number
  floats: number
  seconds: number
  coordinator: Used
  /** Processor time of all workers together. */
  allWorkers: Used
}

/** Processor time of a step: of the thread that runs JavaScript, and of all threads. */
interface Used {
  threadSeconds: number
  cpuSeconds: number
}

export interface Measurements {
  compute: readonly ComputeMeasurement[]
  flopsPerImage: number
  crowded: number
  inputPixel: number
  exchange: readonly ExchangeMeasurement[]
  /** Cores of the machine on which the exchange was measured. */
  cores: number
}

/** Fitted costs, and the relative difference of their prediction from each measurement. */
export interface Fitted {
  costs: Costs
  differences: { what: string; values: number[] }[]
}

const BYTES_PER_FLOAT = 4

/**
 * Finds the costs that explain the measurements best, by least squares.
 * @param measurements at least three of compute, with different lanes and images; at least five of the exchange, with different workers and floats
 */
export function fitCosts({ compute, flopsPerImage, crowded, inputPixel, exchange, cores }: Measurements): Fitted {
  const differences: Fitted['differences'] = []
  const fit = (what: string, rows: number[][], values: number[]): number[] => {
    const coefficients = leastSquares(rows, values)
    differences.push({ what, values: rows.map((row, place) => row.reduce((sum, cell, column) => sum + cell * coefficients[column], 0) / values[place] - 1) })
    return coefficients
  }
  const [step, lane, image] = fit('compute', compute.map(({ lanes, imagesPerLane }) => [1, lanes, lanes * imagesPerLane]), compute.map(({ seconds }) => seconds))
  const coordinatorRows = exchange.map((one) => [1, one.workers, bytesOf(one), bytesOf(one) * partialsOf(one), bytesOf(one) * one.workers])
  // The values are sums over all workers: a cost that each worker has once counts as often as there are workers.
  const workerRows = exchange.map((one) => [one.workers, bytesOf(one) * one.workers, bytesOf(one) * partialsOf(one)])
  const coordinator = (what: string, values: number[]): Work => {
    const [ofStep, peer, byte, partialByte, peerByte] = fit(what, coordinatorRows, values)
    return { step: ofStep, peer, byte, partialByte, peerByte }
  }
  const worker = (what: string, values: number[]): Work => {
    const [ofStep, byte, partialByte] = fit(what, workerRows, values)
    return { step: ofStep, peer: 0, byte, partialByte, peerByte: 0 }
  }
  const costs: Costs = {
    compute: { step, lane, image, flopsPerImage, crowded },
    inputPixel,
    coordinator: {
      thread: coordinator("the coordinator's thread", exchange.map((one) => one.coordinator.threadSeconds)),
      processor: coordinator("the coordinator's processor time", exchange.map((one) => one.coordinator.cpuSeconds)),
    },
    worker: {
      thread: worker("the workers' threads", exchange.map((one) => one.allWorkers.threadSeconds)),
      processor: worker("the workers' processor time", exchange.map((one) => one.allWorkers.cpuSeconds)),
    },
    unhidden: 0,
  }
  costs.unhidden = fitUnhidden(costs, exchange, cores)
  differences.push({ what: 'a step without compute', values: exchange.map((one) => stillExchange(costs, onLoopback(one, cores)) / one.seconds - 1) })
  return { costs, differences }
}

/** Fits `unhidden` by least squares, in closed form since the time of an exchange is linear in it. */
function fitUnhidden(costs: Costs, exchange: readonly ExchangeMeasurement[], cores: number): number {
  const at = (unhidden: number, one: ExchangeMeasurement): number => stillExchange({ ...costs, unhidden }, onLoopback(one, cores))
  const rows = exchange.map((one) => ({ base: at(0, one) / one.seconds, slope: (at(1, one) - at(0, one)) / one.seconds }))
  const squares = rows.reduce((sum, { slope }) => sum + slope ** 2, 0)
  const best = squares === 0 ? 0 : rows.reduce((sum, { base, slope }) => sum + slope * (1 - base), 0) / squares
  return Math.min(1, Math.max(0, best))
}

/** The cluster of a measurement on one machine: links take no time besides that of the processors. */
export function onLoopback({ workers, lanes, floats }: Pick<ExchangeMeasurement, 'workers' | 'lanes' | 'floats'>, cores: number): Cluster {
  return {
    workers, lanes, batch: lanes, floats, flopsPerImage: 0, pixels: 0, reducers: 1, sharedCores: cores, shrink: { up: 1, down: 1 },
    network: { worker: Number.POSITIVE_INFINITY, coordinator: Number.POSITIVE_INFINITY, latency: 0 },
  }
}

function bytesOf({ floats }: ExchangeMeasurement): number {
  return floats * BYTES_PER_FLOAT
}

function partialsOf({ workers, lanes }: ExchangeMeasurement): number {
  return dealLanes(lanes, lanes, workers).reduce((sum, { partialsAfter }) => sum + partialsAfter.length, 0)
}
