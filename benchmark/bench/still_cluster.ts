import type { Compression } from '../../shared/compress/format.ts'
import { layoutOf } from '../../shared/model/layout.ts'
import { networkSchema, type Network } from '../../shared/model/network.ts'
import { HerdCluster, type Places } from './herd_cluster.ts'

/** Steps of one round on a fast network. */
export const STILL_STEPS = 10
const MIN_LANES = 8
const CLASSES = 10
const INPUTS = 48

/** Units of both hidden layers with which the network has as many parameters as the article's for ten classes: 2.23 million. */
export const ARTICLE_UNITS = 1464

/** A network of two hidden dense layers on tiny images, whose input costs nothing. */
function vectorNetwork(units: number): Network {
  return networkSchema.parse({
    name: 'vector', imageSize: Math.sqrt(INPUTS / 3), classes: CLASSES, mean: [0, 0, 0], std: [1, 1, 1],
    layers: [{ type: 'flatten' }, { type: 'dense', units }, { type: 'dense', units }, { type: 'dense', units: CLASSES }],
  })
}

/** Number of floats in the vector of a still cluster. */
export function floatsOf(units = ARTICLE_UNITS): number {
  return layoutOf(vectorNetwork(units)).size
}

/** Number of lanes of a still cluster: a power of two, such that every worker has at least one. */
export function lanesOf(workers: number): number {
  return Math.max(MIN_LANES, 2 ** Math.ceil(Math.log2(workers)))
}

export interface StillCluster {
  workers: number
  workersPerProcess: number
  /** Units of both hidden layers; the vector has about their square in floats. */
  units?: number
  /** Address for the coordinator to listen on. */
  host?: string
  /** Steps of one round. */
  steps?: number
  places?: Places
  reducers?: number
  /** Format of gradients and weights on the wire. */
  compress?: Compression
  /** Exchange through shared memory if possible ('auto'), or through sockets as with workers on other machines ('off', the default). */
  sharedMemory?: 'auto' | 'off'
  /** A folder of certificates, for mutual TLS. */
  certificates?: string
}

/** Starts a cluster whose workers compute nothing: a step consists of dealing, upload, reduce, Adam and broadcast. */
export function startStillCluster({ workers, workersPerProcess, units = ARTICLE_UNITS, host, steps = STILL_STEPS, places, reducers = 1, compress = 'none', sharedMemory = 'off', certificates }: StillCluster): Promise<HerdCluster> {
  const lanes = lanesOf(workers)
  return HerdCluster.start(
    { network: vectorNetwork(units), engine: 'wasm', precision: 'f32', batch: lanes, lanes, workers, reducers, compress, sharedMemory, steps, ...(certificates === undefined ? {} : { certificates }), ...(host === undefined ? {} : { host }) },
    { still: workersPerProcess, ...(places === undefined ? {} : { places }) },
  )
}
