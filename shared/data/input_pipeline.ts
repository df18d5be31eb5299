import type { Samples } from './columns/samples.ts'
import type { DecodedCache } from './caches/decoded_cache.ts'
import type { ImageSource } from './sources/image_source.ts'
import { augment } from './transforms/apply.ts'
import type { TransformLists } from './transforms/transforms.ts'
import { machineSeconds, type SpanObserver } from '../trace/span.ts'
import { trainingSizeAt } from '../model/image_sizes.ts'
import type { Network } from '../model/network.ts'
import { isAudited, type AuditedSteps } from '../lanes/audited_steps.ts'
import type { PreparedLane } from '../lanes/lane_stack.ts'
import { decodeSamples, evaluationImages, type ImageObserver } from './sample_images.ts'
import type { Schedule, StepPosition } from '../lanes/sample_schedule.ts'

export interface InputPipelineOptions extends TransformLists {
  /** Sizes of images: of tests, and of each epoch's training. */
  network: Pick<Network, 'imageSize' | 'imageSizes'>
  source: ImageSource
  samples: Samples
  schedule: Schedule
  seed: number
  /** Steps in which digests of the lanes are wanted; undefined: in none. */
  audit?: AuditedSteps | undefined
  decoded?: DecodedCache
  observer?: ImageObserver
  onSpan?: SpanObserver
}

/**
 * Decodes and augments images for the engine before it needs them: decoding runs on libuv's threads while another process
 * computes. A sample's augmentation is keyed by (seed, epoch, sample), so it does not matter which process prepares it.
 */
export class InputPipeline {
  readonly #options: InputPipelineOptions
  readonly #prepared = new Map<string, Promise<PreparedLane>>()

  constructor(options: InputPipelineOptions) {
    this.#options = options
  }

  /** Number of lanes that are ready or being prepared. */
  get prepared(): number {
    return this.#prepared.size
  }

  /** Starts to prepare lanes that are likely to be asked for next, and drops prepared lanes of steps that are over. */
  prefetch(at: StepPosition, lanes: readonly number[]): void {
    for (const key of this.#prepared.keys()) if (Number(key.split('/')[0]) < at.step - 1) this.#prepared.delete(key)
    for (const lane of lanes) void this.#remember(at, lane)
  }

  /** Returns one lane of a training step, its images decoded and augmented. @throws DataError if an image cannot be read or decoded */
  async lane(at: StepPosition, lane: number): Promise<PreparedLane> {
    const key = keyOf(at, lane)
    const prepared = this.#remember(at, lane)
    try {
      return await prepared
    } finally {
      this.#prepared.delete(key)
    }
  }

  /** Returns images in the given order, with the evaluation transforms instead of augmentation: uint8 [samples, imageSize, imageSize, 3]. */
  images(samples: readonly number[]): Promise<Uint8Array> {
    return evaluationImages({ ...this.#options, imageSize: this.#options.network.imageSize }, samples)
  }

  #remember(at: StepPosition, lane: number): Promise<PreparedLane> {
    const key = keyOf(at, lane)
    let prepared = this.#prepared.get(key)
    if (prepared === undefined) {
      prepared = this.#prepare(at, lane)
      // A prefetched lane may never be asked for, so its error must not count as unhandled; a caller that asks still gets it.
      prepared.catch(() => undefined)
      this.#prepared.set(key, prepared)
    }
    return prepared
  }

  async #prepare(at: StepPosition, lane: number): Promise<PreparedLane> {
    const { schedule, network, augmentation, seed, audit, onSpan } = this.#options
    const begin = machineSeconds()
    const samples = [...schedule.lane(at.epoch, at.stepInEpoch, lane)]
    const repeats = schedule.repeats(at.epoch, at.stepInEpoch, lane)
    const imageSize = trainingSizeAt(network, at.epoch)
    const images = await decodeSamples({ ...this.#options, imageSize, decodedFor: network.imageSize }, samples, (image, out, offset, sample) =>
      augment(image, imageSize, augmentation, { seed, epoch: at.epoch, sample, repeat: repeats?.[offset / (imageSize * imageSize * 3)] ?? 0 }, out, offset),
    )
    onSpan?.({ name: 'decode', begin, end: machineSeconds(), step: at.step, unit: lane })
    return { lane, step: at.step, samples, labels: samples.map((sample) => this.#options.samples.classOf(sample)), images, audited: audit !== undefined && isAudited(audit, at.step) }
  }
}

function keyOf(at: StepPosition, lane: number): string {
  return `${at.step}/${lane}`
}
