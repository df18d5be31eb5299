import type { Costs, Work } from './costs.ts'
import { dealLanes } from './dealt_lanes.ts'
import { leastSquares } from './least_squares.ts'
import { stillExchange, type Cluster } from './speed_model.ts'

/** So many lanes of as many images each, by one compute process. */
export interface ComputeMeasurement {
  lanes: number
  imagesPerLane: number
  seconds: number
}

/** A step of workers that compute nothing, on one machine. */
export interface ExchangeMeasurement {
  workers: number
  lanes: number
  floats: number
  seconds: number
  coordinator: Used
  /** Of all workers together. */
  allWorkers: Used
}

/** Processor time. */
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
  /** Of the machine on which the exchange was measured. */
  cores: number
}

/** How far measurements lie from what the fitted costs make of them: relative differences, one a measurement. */
export interface Fitted {
  costs: Costs
  differences: { what: string; values: number[] }[]
}

const BYTES_PER_FLOAT = 4

/**
 * Costs that explain the measurements best, by least squares.
 * @param measurements of compute at least three, in lanes and in images; of the exchange at least five, in workers and in floats
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
  // All workers together: what one has once, all have as often as there are of them.
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

/** The exchange's time is linear in it. */
function fitUnhidden(costs: Costs, exchange: readonly ExchangeMeasurement[], cores: number): number {
  const at = (unhidden: number, one: ExchangeMeasurement): number => stillExchange({ ...costs, unhidden }, onLoopback(one, cores))
  const rows = exchange.map((one) => ({ base: at(0, one) / one.seconds, slope: (at(1, one) - at(0, one)) / one.seconds }))
  const squares = rows.reduce((sum, { slope }) => sum + slope ** 2, 0)
  const best = squares === 0 ? 0 : rows.reduce((sum, { base, slope }) => sum + slope * (1 - base), 0) / squares
  return Math.min(1, Math.max(0, best))
}

/** The cluster of a measurement: links take no time but the processors'. */
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
