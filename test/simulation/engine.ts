import type { Engine, EngineInfo, LaneInput, LaneResult } from '../../shared/engine/engine.ts'
import type { Network } from '../../shared/model/network.ts'

/**
 * A real engine for one small network, [flatten, dropout, dense]: softmax regression in float32, in plain TypeScript.
 * It rounds after every operation, so the order in which lanes are added affects the result.
 */
export class SoftmaxEngine implements Engine {
  readonly info: EngineInfo = { kind: 'wasm', mode: 'eager', precision: 'f32', threads: 1, device: 'cpu', version: 'softmax regression' }
  readonly #network: Network
  readonly #inputs: number
  readonly #overflowFrom: number
  readonly #parameters: Float32Array

  /** @param overflowFrom a lane with an image whose first byte is at least this has a gradient that is not finite */
  constructor(network: Network, overflowFrom: number) {
    this.#network = network
    this.#overflowFrom = overflowFrom
    this.#inputs = network.imageSize * network.imageSize * 3
    this.#parameters = new Float32Array((this.#inputs + 1) * network.classes)
  }

  setParameters(parameters: Float32Array): void {
    this.#parameters.set(parameters)
  }

  setFrozen(): void {
    throw new Error('no network of the simulation has frozen parameters')
  }

  laneGradient({ images, labels, masks }: LaneInput, gradient: Float32Array): LaneResult {
    const { classes } = this.#network
    gradient.fill(0)
    let lossSum = 0
    let correct = 0
    for (let row = 0; row < labels.length; row++) {
      const features = this.#features(images, row, masks[0].subarray(row * this.#inputs, (row + 1) * this.#inputs))
      const logits = this.#logitsOf(features)
      const probabilities = softmax(logits)
      const label = labels[row]
      lossSum -= Math.log(Math.max(probabilities[label], 1e-30))
      if (logits.every((logit) => logit <= logits[label])) correct++
      for (let c = 0; c < classes; c++) {
        const delta = Math.fround(probabilities[c] - (c === label ? 1 : 0))
        for (let i = 0; i < this.#inputs; i++) gradient[i * classes + c] += Math.fround(features[i] * delta)
        gradient[this.#inputs * classes + c] += delta
      }
      if (images[row * this.#inputs] >= this.#overflowFrom) gradient[label] = Infinity
    }
    return { lossSum, correct }
  }

  logits(images: Uint8Array, count: number): Float32Array {
    const { classes } = this.#network
    const logits = new Float32Array(count * classes)
    for (let row = 0; row < count; row++) logits.set(this.#logitsOf(this.#features(images, row, undefined)), row * classes)
    return logits
  }

  tensorCount(): number {
    return 0
  }

  dispose(): void {
    this.#parameters.fill(NaN)
  }

  #features(images: Uint8Array, row: number, mask: Float32Array | undefined): Float32Array {
    const { mean, std } = this.#network
    return Float32Array.from({ length: this.#inputs }, (_, i) => ((images[row * this.#inputs + i] / 255 - mean[i % 3]) / std[i % 3]) * (mask?.[i] ?? 1))
  }

  #logitsOf(features: Float32Array): Float32Array {
    const { classes } = this.#network
    const logits = this.#parameters.slice(this.#inputs * classes)
    for (let i = 0; i < this.#inputs; i++) for (let c = 0; c < classes; c++) logits[c] += Math.fround(features[i] * this.#parameters[i * classes + c])
    return logits
  }
}

function softmax(logits: Float32Array): Float32Array {
  const largest = Math.max(...logits)
  const exponentials = logits.map((logit) => Math.exp(logit - largest))
  const sum = exponentials.reduce((a, b) => Math.fround(a + b), 0)
  return exponentials.map((value) => value / sum)
}
