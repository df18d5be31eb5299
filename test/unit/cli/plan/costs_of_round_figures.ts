import type { Costs, Work } from '../../../../cli/plan/costs.ts'
import type { Cluster } from '../../../../cli/plan/speed_model.ts'

const nothing: Work = { step: 0, peer: 0, byte: 0, partialByte: 0, peerByte: 0 }

/** Costs in round figures: an image takes 0.1 s and 1 GFLOP, a lane 10 ms; the coordinator's thread 1 ns per byte of a partial sum. */
export const costs: Costs = {
  compute: { step: 0.02, lane: 0.01, image: 0.1, flopsPerImage: 1e9, crowded: 1.2 },
  inputPixel: 1e-8,
  coordinator: { thread: { ...nothing, step: 0.001, partialByte: 1e-9, peerByte: 1e-9 }, processor: { ...nothing, step: 0.001, partialByte: 2e-9, peerByte: 2e-9 } },
  worker: { thread: { ...nothing, byte: 1e-9, partialByte: 1e-9 }, processor: { ...nothing, byte: 2e-9, partialByte: 2e-9 } },
  unhidden: 0.25,
}

/** A cluster of four workers, with a vector of 16 MiB in 16 chunks, and a network that takes no time. */
export const cluster: Cluster = {
  workers: 4, batch: 64, lanes: 8, floats: 4 * 1024 * 1024, flopsPerImage: 1e9, pixels: 1e4, reducers: 1, shrink: { up: 1, down: 1 },
  network: { worker: Number.POSITIVE_INFINITY, coordinator: Number.POSITIVE_INFINITY, latency: 0 },
}
