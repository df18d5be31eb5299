import { layoutOf } from '../model/layout.ts'
import { networkOfSize, sizeOfImages, sizesOf } from '../model/image_sizes.ts'
import type { Network } from '../model/network.ts'
import type { Engine, EngineInfo, LaneInput, LaneResult } from './engine.ts'
import { checkVector } from './input_check.ts'

/**
 * Compiles a network whose training images change their size: an engine for each size, which all compute with the same parameters.
 * @param network one whose layout is the same at each of its sizes
 * @param compile compiles a network of one size
 */
export async function createSizedEngine(network: Network, compile: (network: Network) => Promise<Engine>): Promise<Engine> {
  const engines = new Map<number, Engine>()
  try {
    for (const size of sizesOf(network)) engines.set(size, await compile(networkOfSize(network, size)))
  } catch (error) {
    for (const engine of engines.values()) engine.dispose()
    throw error
  }
  return new SizedEngine(network, engines)
}

class SizedEngine implements Engine {
  readonly info: EngineInfo
  readonly #engines: ReadonlyMap<number, Engine>
  readonly #ofTests: Engine
  readonly #network: Network
  readonly #parameters: Float32Array
  /** Engines that have the present parameters: only those that compute with them are given them. */
  readonly #current = new Set<Engine>()

  constructor(network: Network, engines: ReadonlyMap<number, Engine>) {
    const [[, first]] = engines
    this.#network = network
    this.#engines = engines
    this.#ofTests = first
    this.#parameters = new Float32Array(layoutOf(network).size)
    this.info = first.info
  }

  setParameters(parameters: Float32Array): void {
    checkVector('parameters', parameters, layoutOf(this.#network))
    this.#parameters.set(parameters)
    this.#current.clear()
  }

  setFrozen(parameters: Float32Array): void {
    for (const engine of this.#engines.values()) engine.setFrozen(parameters)
  }

  laneGradient(lane: LaneInput, gradient: Float32Array): LaneResult {
    // An engine says what is wrong with images of a size that nobody has announced.
    return this.#prepared(this.#engines.get(sizeOfImages(lane.images, lane.labels.length)) ?? this.#ofTests).laneGradient(lane, gradient)
  }

  logits(images: Uint8Array, count: number): Float32Array {
    return this.#prepared(this.#ofTests).logits(images, count)
  }

  tensorCount(): number {
    // Engines of one process count the tensors of all.
    return this.#ofTests.tensorCount()
  }

  dispose(): void {
    for (const engine of this.#engines.values()) engine.dispose()
  }

  #prepared(engine: Engine): Engine {
    if (!this.#current.has(engine)) {
      engine.setParameters(this.#parameters)
      this.#current.add(engine)
    }
    return engine
  }
}
