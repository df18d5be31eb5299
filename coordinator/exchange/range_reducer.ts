import { codecFor, roundedWeights, sumRounding, type Codec, type RoundSum } from '../../shared/compress/codec.ts'
import { ProtocolError } from '../../shared/kit/errors.ts'
import type { SpanObserver } from '../../shared/trace/span.ts'
import type { OptimizerState, UpdateNumbers } from '../../shared/optim/optimizer.ts'
import { CHUNK_FLOATS, chunkRanges, type Range } from '../../shared/vectors/chunks.ts'
import type { LaneTree } from '../../shared/lanes/lane_tree.ts'
import { VectorPool } from '../../shared/vectors/vector_pool.ts'
import { VERSIONS_BEHIND, type WeightsBoard } from '../../shared/wire/board.ts'
import type { MemoryFile } from '../../shared/kit/memory_file.ts'
import type { GradientChunk, WeightsChunk } from '../../shared/wire/messages.ts'
import type { LaneReport } from '../../shared/lanes/lane_report.ts'
import { decodePayload, NO_DATA, type Payload } from '../../shared/wire/payload.ts'
import type { RunDescription } from '../../shared/wire/run_description.ts'
import type { Model } from '../../shared/optim/stepped_weights.ts'
import { stepOf } from '../contract/rounds.ts'
import type { PhaseSeconds } from '../contract/step_split.ts'
import { StepUpdate, type RangeSums, type Verdict } from './step_update.ts'

/** A worker, as whoever reduces sees it. */
export interface Receiver {
  /** Bytes of weights that wait for the worker to take them. */
  readonly backlogBytes: number
  /** Queues one chunk; the data must not change afterwards. */
  sendWeights(chunk: WeightsChunk): void
  /** Cuts the worker off. */
  evict(reason: string): void
  /** Where it writes its gradients, if it shares this machine's memory: then it reads weights from the board, too. */
  readonly memory?: Pick<MemoryFile, 'read'> | undefined
}

/** A partial of which all chunks are in. */
export interface WholePartial {
  round: number
  attempt: number
  node: number
  /** What each lane under the node reported. */
  lanes: LaneReport[]
  /** When its upload began, in seconds on the worker's clock. */
  began: number
}

/** A step that begins. */
export interface StepToReduce extends UpdateNumbers {
  round: number
}

/** What decides how a run's vectors are summed, rounded, clipped and travel. */
export type ExchangedRun = Pick<RunDescription, 'seed' | 'compress' | 'compressWeights' | 'clip'>

export interface RangeReducerParts<R extends Receiver> {
  /** The part of the vector that it owns; it begins and ends where chunks do. */
  range: Range
  /** Of the range alone. */
  model: Model
  /** Steps of the run that came before the model's weights. */
  version: number
  tree: LaneTree
  run: ExchangedRun
  /** Seconds on a clock that only goes forward. */
  now: () => number
  onPartial: (receiver: R, partial: WholePartial) => void
  onSpan?: SpanObserver
  chunkFloats?: number
  /** For workers that share this machine's memory. */
  board?: WeightsBoard
}

/** Weights of a range, which are the model's until the step after the next. */
interface NewWeights {
  version: number
  leftOut: boolean
  range: Range
  weights: Float32Array
}

/** A partial that is on its way. */
interface Upload extends Omit<WholePartial, 'lanes' | 'began'> {
  received: number
}

interface Place {
  upload: Upload | undefined
  /** It joined while a step was being reduced, and gets the new weights whole when that step is settled. */
  joinedLate: boolean
}

const MIB = 1024 * 1024

/**
 * Owns a contiguous range of the vector: takes its gradients from every worker, sums them along the lane tree, steps its
 * weights, and sends them to every worker. The whole vector is a range, too: with one reducer, it is in the coordinator.
 */
export class RangeReducer<R extends Receiver> {
  readonly #parts: RangeReducerParts<R>
  readonly #chunkFloats: number
  readonly #gradients: Codec
  readonly #weights: Codec
  readonly #round: RoundSum
  readonly #places = new Map<R, Place>()
  /** Of gradients. */
  readonly #pool: VectorPool
  #version: number
  /** Whether the step before these weights was left out. */
  #leftOut = false
  #open: { round: number; update: StepUpdate } | undefined
  /** Those of an evaluation that goes on beside training, for who joins. */
  #kept: { version: number; parameters: Float32Array } | undefined

  constructor(parts: RangeReducerParts<R>) {
    this.#parts = parts
    this.#version = parts.version
    this.#chunkFloats = parts.chunkFloats ?? CHUNK_FLOATS
    const { seed, compress, compressWeights } = parts.run
    this.#gradients = codecFor(compress)
    this.#weights = codecFor(compressWeights)
    this.#round = sumRounding(compress, seed)
    // No more can be needed at a time: each chunk of each lane by itself.
    this.#pool = new VectorPool(this.#chunkFloats, parts.tree.nodes.length * Math.ceil((parts.range.end - parts.range.begin) / this.#chunkFloats))
  }

  /** The weights and moments of the range after a whole number of steps: views, which are good until the step after the next begins. */
  get state(): Readonly<OptimizerState> {
    return this.#parts.model.state
  }

  /** The worker gets the weights that are kept, then those as they are, and those of every step from now on. */
  join(receiver: R): void {
    this.#places.set(receiver, { upload: undefined, joinedLate: this.#open !== undefined })
    const kept = this.#kept
    // Not by the board, where they would take the place of later ones.
    if (kept !== undefined && kept.version < this.#version) {
      for (const { range: { begin }, weights } of this.#chunksOf(kept.version, false, kept.parameters)) {
        receiver.sendWeights({ version: kept.version, leftOut: false, offset: this.#parts.range.begin + begin, data: this.#encoded(weights) })
      }
    }
    this.#send([receiver], this.#allWeights())
  }

  /** Keeps a copy of the weights as they are, between two steps. */
  keepWeights(): void {
    this.#kept = { version: this.#version, parameters: this.#parts.model.parameters.slice() }
  }

  forgetWeights(): void {
    this.#kept = undefined
  }

  leave(receiver: R): void {
    this.#places.delete(receiver)
  }

  begin({ round, ...numbers }: StepToReduce): void {
    const { model, range: { begin: origin }, run: { clip }, tree, now, onSpan } = this.#parts
    const version = stepOf(round) + 1
    this.#open = {
      round,
      update: new StepUpdate({
        model, tree, step: stepOf(round), ...numbers, clip, chunkFloats: this.#chunkFloats, now, round: this.#round, origin,
        free: (values) => this.#pool.giveBack(values),
        broadcast: (range, weights) => {
          this.#send([...this.#places].filter(([, { joinedLate }]) => !joinedLate).map(([receiver]) => receiver), [{ version, leftOut: false, range, weights }])
        },
        ...(onSpan === undefined ? {} : { onSpan }),
      }),
    }
  }

  /**
   * Takes a chunk of a partial. Those of a round that is over are late, and count for nothing.
   * @throws ProtocolError when it does not follow the chunk before it, or is not of this range.
   */
  receive(receiver: R, chunk: GradientChunk): void {
    const { range, tree, onPartial } = this.#parts
    const place = this.#places.get(receiver)
    if (place === undefined) throw new ProtocolError('a gradient chunk of no member')
    const node = tree.nodes.at(chunk.node)
    if (node === undefined) throw new ProtocolError(`a gradient chunk of node ${chunk.node}, which is not of this run`)
    // A partial that lacks its end would leave its lanes owed for ever: while its round goes on, no other may begin before it is whole.
    if (chunk.offset === range.begin && place.upload?.round !== this.#open?.round) place.upload = undefined
    const upload = (place.upload ??= { round: chunk.round, node: chunk.node, attempt: chunk.attempt, received: 0 })
    if (upload.round !== chunk.round || upload.node !== chunk.node || upload.attempt !== chunk.attempt || range.begin + upload.received !== chunk.offset) {
      throw new ProtocolError('gradient chunks came out of order')
    }
    const floats = this.#gradients.floatsIn(chunk.shared?.length ?? chunk.data.length, 'a gradient chunk')
    if (this.#open?.round === chunk.round) this.#open.update.add(chunk.node, upload.received, this.#valuesOf(receiver, chunk, floats))
    upload.received += floats
    if (chunk.lanes.length === 0) return
    place.upload = undefined
    const reported = chunk.lanes.map((report) => report.lane)
    if (reported.join() !== Array.from({ length: node.end - node.begin }, (_, i) => node.begin + i).join()) {
      throw new ProtocolError(`the partial of lanes ${node.begin} to ${node.end - 1} reports lanes ${reported.join()}`)
    }
    if (upload.received !== range.end - range.begin) throw new ProtocolError(`a partial ended after ${upload.received} floats`)
    onPartial(receiver, { round: chunk.round, attempt: chunk.attempt, node: chunk.node, lanes: chunk.lanes, began: chunk.began })
  }

  /** What the step that is open came to; undefined as long as partials are missing. */
  get sums(): RangeSums | undefined {
    return this.#open?.update.complete === true ? this.#open.update.sums : undefined
  }

  /**
   * Ends the step that is open: the model takes it, or the step is left out and the weights go out unchanged as the next version.
   * @returns seconds that stepping took, where it had to wait for the verdict
   */
  settle(verdict: Verdict): PhaseSeconds {
    const { range } = this.#parts
    const { leaveOut } = verdict
    if (this.#open === undefined) throw new Error('no step is open')
    const phases = this.#open.update.settle(verdict)
    this.#version = stepOf(this.#open.round) + 1
    this.#leftOut = leaveOut
    this.#open = undefined
    this.#pool.reclaim()
    // Of a step that is left out, no worker can have got all chunks: the version begins again, with the weights as they were.
    const lacking = [...this.#places].filter(([, { joinedLate }]) => joinedLate || leaveOut)
    this.#send(lacking.map(([receiver]) => receiver), this.#allWeights())
    for (const [, place] of lacking) place.joinedLate = false
    const limit = VERSIONS_BEHIND * Math.max((range.end - range.begin) * 4, MIB)
    for (const receiver of [...this.#places.keys()]) if (receiver.backlogBytes > limit) receiver.evict('it does not take its weights')
    return phases
  }

  /** @returns values of the pool: messages are let go of, so that they die young @throws ProtocolError as `payloadOf` */
  #valuesOf(receiver: R, chunk: GradientChunk, floats: number): Float32Array {
    const payload = payloadOf(receiver, chunk)
    const values = this.#pool.take(floats)
    decodePayload(this.#gradients, payload, values)
    return values
  }

  #allWeights(): NewWeights[] {
    return this.#chunksOf(this.#version, this.#leftOut, this.#parts.model.parameters)
  }

  #chunksOf(version: number, leftOut: boolean, parameters: Float32Array): NewWeights[] {
    return chunkRanges(parameters.length, this.#chunkFloats).map((range) => ({ version, leftOut, range, weights: parameters.subarray(range.begin, range.end) }))
  }

  /** Each chunk is written to the board once, for all who read there, and put into bytes once, for all others. */
  #send(receivers: readonly R[], chunks: readonly NewWeights[]): void {
    if (receivers.length === 0) return
    const { board, range } = this.#parts
    const readers = board === undefined ? [] : receivers.filter(({ memory }) => memory !== undefined)
    for (const { version, leftOut, range: { begin }, weights } of chunks) {
      const chunk = { version, leftOut, offset: range.begin + begin }
      const bytes = this.#encoded(weights)
      const shared = readers.length === 0 ? undefined : board?.post(version, chunk.offset, bytes)
      if (shared !== undefined) for (const reader of readers) reader.sendWeights({ ...chunk, data: NO_DATA, shared })
      const others = shared === undefined ? receivers : receivers.filter((receiver) => !readers.includes(receiver))
      if (others.length === 0) continue
      // A copy, since the model's memory is written again before a slow worker may have taken the chunk.
      const message: WeightsChunk = { ...chunk, data: this.#weights.compression === 'none' ? Buffer.from(bytes) : bytes }
      for (const receiver of others) receiver.sendWeights(message)
    }
  }

  /** Without compression a view. */
  #encoded(weights: Float32Array): Buffer {
    return this.#weights.encode(this.#weights.compression === 'none' ? weights : roundedWeights(this.#weights, weights))
  }
}

/** @throws ProtocolError when it is in memory that the worker does not share. */
function payloadOf({ memory }: Receiver, { data, shared }: GradientChunk): Payload {
  if (shared === undefined || shared === null) return data
  if (memory === undefined) throw new ProtocolError('a gradient chunk is in memory that the worker does not share')
  return { length: shared.length, readInto: (target) => memory.read(shared.at, target) }
}
