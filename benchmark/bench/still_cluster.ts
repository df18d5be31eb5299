import type { Compression } from '../../shared/compress/format.ts'
import { layoutOf } from '../../shared/model/layout.ts'
import { networkSchema, type Network } from '../../shared/model/network.ts'
import { HerdCluster, type Places } from './herd_cluster.ts'

/** Steps of one round, where the network is fast. */
export const STILL_STEPS = 10
const MIN_LANES = 8
const CLASSES = 10
const INPUTS = 48

/** As many units, twice, as give the parameters that the article's network has for ten classes: 2.23 million. */
export const ARTICLE_UNITS = 1464

/** Two dense layers on images that cost nothing. */
function vectorNetwork(units: number): Network {
  return networkSchema.parse({
    name: 'vector', imageSize: Math.sqrt(INPUTS / 3), classes: CLASSES, mean: [0, 0, 0], std: [1, 1, 1],
    layers: [{ type: 'flatten' }, { type: 'dense', units }, { type: 'dense', units }, { type: 'dense', units: CLASSES }],
  })
}

/** Floats of the vector of a still cluster. */
export function floatsOf(units = ARTICLE_UNITS): number {
  return layoutOf(vectorNetwork(units)).size
}

/** Lanes of a still cluster: a worker has at least one. */
export function lanesOf(workers: number): number {
  return Math.max(MIN_LANES, 2 ** Math.ceil(Math.log2(workers)))
}

export interface StillCluster {
  workers: number
  workersPerProcess: number
  /** The vector has about their square in floats. */
  units?: number
  /** Address for the coordinator to listen on. */
  host?: string
  /** Of one round. */
  steps?: number
  places?: Places
  reducers?: number
  /** Of gradients and weights. */
  compress?: Compression
  /** As workers on other machines: `off`, if absent. */
  sharedMemory?: 'auto' | 'off'
  /** A folder of certificates, for mutual TLS. */
  certificates?: string
}

/** A cluster whose workers compute nothing: what is left is dealing, upload, reduce, Adam and broadcast. */
export function startStillCluster({ workers, workersPerProcess, units = ARTICLE_UNITS, host, steps = STILL_STEPS, places, reducers = 1, compress = 'none', sharedMemory = 'off', certificates }: StillCluster): Promise<HerdCluster> {
  const lanes = lanesOf(workers)
  return HerdCluster.start(
    { network: vectorNetwork(units), engine: 'wasm', precision: 'f32', batch: lanes, lanes, workers, reducers, compress, sharedMemory, steps, ...(certificates === undefined ? {} : { certificates }), ...(host === undefined ? {} : { host }) },
    { still: workersPerProcess, ...(places === undefined ? {} : { places }) },
  )
}
