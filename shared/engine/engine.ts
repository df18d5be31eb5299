/**
 * An engine computes gradients and logits. It compiles a network once; then it takes parameters once a step and lanes as they come.
 * Given the same inputs on the same kind of machine, it returns the same bits, in any process and in any order.
 */
export interface Engine {
  readonly info: EngineInfo
  /**
   * Sets the parameters with which the following calls compute.
   * @param parameters flat vector in the order of the network's layout; the engine keeps no reference to it.
   * @throws EngineError if the vector does not have the layout's size.
   */
  setParameters(parameters: Float32Array): void
  /**
   * Sets the frozen parameters of a network that has some, before anything is computed.
   * @param parameters flat vector of `frozenLayoutOf`; the engine keeps no reference to it.
   * @throws EngineError if the vector does not have that layout's size.
   */
  setFrozen(parameters: Float32Array): void
  /**
   * Computes the gradient of the summed (not averaged) loss of one lane.
   * @param gradient flat vector of the layout's size, overwritten. In the place of a running statistic, it gets the
   *   lane's batch statistic times the number of samples, so that the sum over lanes divided by the batch is their average.
   * @throws EngineError if the lane or the vector does not fit the network.
   */
  laneGradient(lane: LaneInput, gradient: Float32Array): LaneResult
  /**
   * Computes logits without dropout and with running statistics.
   * @param images uint8 [count, imageSize, imageSize, 3]
   * @returns float32 [count, classes], row-major
   * @throws EngineError if there is no image, or the images do not have this size.
   */
  logits(images: Uint8Array, count: number): Float32Array
  /** Returns the number of tensors that are held now; if it grows from step to step, something leaks. */
  tensorCount(): number
  dispose(): void
}

export interface LaneInput {
  /** Pixels, uint8 [count, imageSize, imageSize, 3], after augmentation and before normalisation. */
  images: Uint8Array
  /** Class index of each sample. */
  labels: Int32Array
  /** Dropout masks, one for each of `dropoutLayers(network)`: float32 [count, ...shape], each element 0 or 1 / (1 - rate). */
  masks: Float32Array[]
  /** What each image is mixed with; given if, and only if, the network's loss mixes. */
  partners?: Partners
}

/** The images that those of a lane are mixed with. */
export interface Partners {
  /** Class index of each. */
  labels: Int32Array
  /** Share of an image's own, from 0 to 1; the rest is its partner's. */
  share: Float32Array
}

export interface LaneResult {
  /** Cross entropy summed over the samples. */
  lossSum: number
  /** Number of samples whose largest logit is that of their label. */
  correct: number
}

export type EngineKind = 'native' | 'wasm'
export type EngineChoice = 'auto' | EngineKind
export type Precision = 'f32' | 'bf16'
/**
 * How the native engine chooses its kernels: `native` by the processor, as fast as it can; `portable` as on every processor with AVX2, so that
 * machines of different kinds compute the same bits. wasm computes the same bits on every processor in any case.
 */
export const numericsKinds = ['native', 'portable'] as const
export type Numerics = (typeof numericsKinds)[number]

export interface EngineInfo {
  kind: EngineKind
  /** The native engine runs 'graph'; wasm runs 'eager', which is also the reference for 'graph' in tests. */
  mode: 'graph' | 'eager'
  precision: Precision
  /** Number of threads inside one operation. The result's bits depend on it, so it is a setting of the run. */
  threads: number
  /** Device that computes: "cpu", or a GPU by its index, "gpu:0". */
  device: string
  /** Version of the library that computes, e.g. "TensorFlow 2.18.1". */
  version: string
}

export interface EngineOptions {
  precision: Precision
  threads: number
}
