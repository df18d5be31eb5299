import { gunzipSync } from 'node:zlib'
import { idsBySplit, type Sample } from '../shared/data/dataset.ts'
import type { DecodedCache } from '../shared/data/decoded_cache.ts'
import type { ImageSource } from '../shared/data/image_source.ts'
import { manifestSchema, type Manifest } from '../shared/data/manifest.ts'
import { ProtocolError } from '../shared/errors.ts'
import { layoutOf } from '../shared/network/layout.ts'
import { chunkRanges } from '../shared/train/chunk_sum.ts'
import { feedPartial, type Compute } from '../shared/train/compute.ts'
import { blockCount, blockSamples, evaluateBlock } from '../shared/train/evaluation.ts'
import { InputPipeline } from '../shared/train/input_pipeline.ts'
import type { Partial } from '../shared/train/lane_stack.ts'
import { LaneTree } from '../shared/train/lane_tree.ts'
import { Schedule } from '../shared/train/schedule.ts'
import { bytesOf } from '../shared/wire/floats.ts'
import { checkedJson, type Deal } from '../shared/wire/messages.ts'
import type { RunDescription } from '../shared/wire/run_description.ts'
import type { Link } from './link.ts'
import type { WeightsInbox } from './weights_inbox.ts'

/** What the session tells of its work, for metrics. */
export interface SessionObserver {
  onLane(facts: { samples: number; seconds: number }): void
  onWeightsWait(seconds: number): void
  onInputWait(seconds: number): void
}

export interface SessionParts {
  link: Pick<Link, 'send' | 'sendGradient'>
  run: RunDescription
  manifest: Manifest
  source: ImageSource
  decoded: DecodedCache
  compute: Compute
  weights: WeightsInbox
  observer: SessionObserver
  /** Seconds on a clock that only goes forward. */
  now: () => number
  /** Floats of one chunk on the wire, where it is not the default. */
  chunkFloats?: number
}

const MAX_MANIFEST_BYTES = 2 ** 31 - 1

/**
 * Reads the coordinator's manifest.
 * @throws ProtocolError when it is not one, or not of this run.
 */
export function readManifest(gzipped: Buffer, run: RunDescription): Manifest {
  let json: string
  try {
    json = gunzipSync(gzipped, { maxOutputLength: MAX_MANIFEST_BYTES }).toString('utf8')
  } catch {
    throw new ProtocolError('the manifest of the coordinator cannot be unpacked.')
  }
  const manifest = checkedJson(manifestSchema, json, 'the manifest of the coordinator')
  if (manifest.digest !== run.datasetDigest) throw new ProtocolError('the manifest of the coordinator is of another data set than its run.')
  return manifest
}

/** Computes whatever it is dealt: lanes of training steps, and blocks of the test set. */
export class WorkSession {
  readonly #parts: SessionParts
  readonly #samples: readonly Sample[]
  readonly #test: readonly number[]
  readonly #schedule: Schedule
  readonly #tree: LaneTree
  readonly #input: InputPipeline
  readonly #chunks: { begin: number; end: number }[]
  /** Version of the weights that the engine has. */
  #loaded: number | undefined
  #uploads: Promise<void> = Promise.resolve()

  constructor(parts: SessionParts) {
    const { run, manifest, source, decoded } = parts
    this.#parts = parts
    this.#samples = manifest.samples
    const { train, test } = idsBySplit(manifest.samples)
    this.#test = test
    this.#schedule = new Schedule({ seed: run.seed, train, batch: run.batch, lanes: run.lanes })
    this.#tree = new LaneTree(run.lanes)
    this.#input = new InputPipeline({ source, samples: manifest.samples, schedule: this.#schedule, imageSize: run.network.imageSize, seed: run.seed, decoded })
    this.#chunks = chunkRanges(layoutOf(run.network).size, parts.chunkFloats)
  }

  /** Works off one deal. @throws when the engine or the data fail. */
  async work(deal: Deal): Promise<void> {
    const units = deal.kind === 'TRAIN' ? this.#parts.run.lanes : blockCount(this.#test)
    if (deal.units.some((unit) => unit >= units)) throw new ProtocolError(`the coordinator dealt units ${deal.units.join()} of ${units}`)
    if (deal.kind === 'TRAIN') this.#input.prefetch(deal, deal.units)
    await this.#loadWeights(deal.step)
    if (deal.kind === 'TRAIN') await this.#train(deal)
    else await this.#evaluate(deal)
  }

  async #loadWeights(version: number): Promise<void> {
    if (this.#loaded === version) return
    const begin = this.#parts.now()
    const parameters = await this.#parts.weights.take(version)
    this.#parts.observer.onWeightsWait(this.#parts.now() - begin)
    this.#parts.compute.setParameters(parameters)
    this.#loaded = version
  }

  async #train(deal: Deal): Promise<void> {
    const nodes = this.#tree.cover(deal.units)
    for (const node of nodes) {
      const { partial } = await feedPartial(this.#parts.compute, this.#tree, node.id, async (lane) => {
        const begin = this.#parts.now()
        const prepared = await this.#input.lane(deal, lane)
        this.#parts.observer.onInputWait(this.#parts.now() - begin)
        return prepared
      })
      // One upload after the other, while the engine goes on with the next node.
      this.#uploads = Promise.all([partial, this.#uploads]).then(([result]) => this.#upload(deal, node.id, result))
      this.#uploads.catch(() => undefined)
    }
    // The likeliest next work: the same lanes of the next step.
    this.#input.prefetch(this.#schedule.next(deal), deal.units)
    await this.#uploads
  }

  async #upload(deal: Deal, node: number, partial: Partial): Promise<void> {
    for (const { samples, seconds } of partial.lanes) this.#parts.observer.onLane({ samples, seconds })
    for (const { begin, end } of this.#chunks) {
      await this.#parts.link.sendGradient({
        round: deal.round,
        attempt: deal.attempt,
        node,
        offset: begin,
        data: bytesOf(partial.values.subarray(begin, end)),
        lanes: end === partial.values.length ? partial.lanes : [],
      })
    }
  }

  async #evaluate(deal: Deal): Promise<void> {
    const { compute, link, run } = this.#parts
    const decode = (block: number): Promise<Uint8Array> => this.#input.images(blockSamples(this.#test, block))
    let next = decode(deal.units[0])
    for (const [index, block] of deal.units.entries()) {
      const images = await next
      // Decoding the next block overlaps with computing this one.
      if (index + 1 < deal.units.length) {
        next = decode(deal.units[index + 1])
        next.catch(() => undefined)
      }
      const ids = blockSamples(this.#test, block)
      const logits = await compute.logits(images, ids.length)
      const result = evaluateBlock(run.network, logits, ids.map((id) => this.#samples[id].class))
      link.send({ message: 'evaluation', evaluation: { round: deal.round, attempt: deal.attempt, block, ...result } })
    }
  }
}
