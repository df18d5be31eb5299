/**
 * What computes. An engine compiles a network once; then it takes parameters once a step and lanes as they come.
 * Given the same inputs on the same kind of machine it returns the same bits, in any process and any order.
 */
export interface Engine {
  readonly info: EngineInfo
  /**
   * Takes the parameters that the following calls compute with.
   * @param parameters flat vector in the order of the network's layout; the engine keeps no reference to it.
   */
  setParameters(parameters: Float32Array): void
  /**
   * Gradient of the summed (not averaged) loss of one lane.
   * @param gradient flat vector of the layout's size, overwritten. Where the layout has a running statistic, it gets
   *   the lane's batch statistic times the number of samples, so that the sum over lanes divided by the batch is their average.
   */
  laneGradient(lane: LaneInput, gradient: Float32Array): LaneResult
  /**
   * Logits without dropout and with running statistics.
   * @param images uint8 [count, imageSize, imageSize, 3]
   * @returns float32 [count, classes], row-major
   */
  logits(images: Uint8Array, count: number): Float32Array
  /** Tensors held now: constant from step to step, or something leaks. */
  tensorCount(): number
  dispose(): void
}

export interface LaneInput {
  /** uint8 [count, imageSize, imageSize, 3], after augmentation, before normalisation. */
  images: Uint8Array
  /** Class index of each sample. */
  labels: Int32Array
  /** One for each of `dropoutLayers(network)`: float32 [count, ...shape], each element 0 or 1 / (1 - rate). */
  masks: Float32Array[]
}

export interface LaneResult {
  /** Cross entropy summed over the samples. */
  lossSum: number
  /** Samples whose largest logit is the label's. */
  correct: number
}

export type EngineKind = 'native' | 'wasm'
export type EngineChoice = 'auto' | EngineKind
export type Precision = 'f32' | 'bf16'

export interface EngineInfo {
  kind: EngineKind
  /** 'graph' is the product; 'eager' its oracle, and what wasm runs. */
  mode: 'graph' | 'eager'
  precision: Precision
  /** Threads inside one operation. Part of the result's bits, so it belongs to the run. */
  threads: number
  /** "cpu" or "gpu:0". */
  device: string
  /** Version of the library that computes, e.g. "TensorFlow 2.18.1". */
  version: string
}

export interface EngineOptions {
  precision: Precision
  threads: number
}
