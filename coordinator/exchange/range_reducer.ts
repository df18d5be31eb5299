import { codecFor, roundedWeights, sumRounding, type Codec, type RoundSum } from '../../shared/compress/codec.ts'
import { ProtocolError } from '../../shared/kit/errors.ts'
import type { SpanObserver } from '../../shared/trace/span.ts'
import type { OptimizerState, UpdateNumbers } from '../../shared/optim/optimizer.ts'
import { CHUNK_FLOATS, chunkRanges, type Range } from '../../shared/vectors/chunks.ts'
import type { LaneTree } from '../../shared/lanes/lane_tree.ts'
import { depositKey, PartialDigest } from '../../shared/lanes/partial_digest.ts'
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

/** A worker as the reducing process sees it. */
export interface Receiver {
  /** Approximate bytes of weights that are queued and not yet sent to the worker. */
  readonly backlogBytes: number
  /** Queues one chunk; the data must not change afterwards. */
  sendWeights(chunk: WeightsChunk): void
  /** Disconnects the worker. */
  evict(reason: string): void
  /** Shared-memory file that the worker writes its gradients to; it then reads weights from the board, too. Undefined if it shares no memory. */
  readonly memory?: Pick<MemoryFile, 'read'> | undefined
}

/** A partial, the gradient sum over a node of the lane tree, whose chunks have all arrived. */
export interface WholePartial {
  round: number
  attempt: number
  node: number
  /** Reports of all lanes under the node. */
  lanes: LaneReport[]
  /** Start of its upload, in seconds on the worker's clock. */
  began: number
}

/** The beginning of a partial whose worker has gone. */
export interface UnfinishedPartial {
  round: number
  node: number
  /** Number of floats that came, from the beginning of the range on. */
  floats: number
}

/** What a worker has put into the sum of an open step, of one node and range: all of a partial, or its beginning. */
export interface Deposit {
  round: number
  node: number
  /** Index in the vector of its first element. */
  begin: number
  floats: number
  /** Digest of its values (`PartialDigest`). */
  digest: string
}

/** A step that is about to be reduced. */
export interface StepToReduce extends UpdateNumbers {
  round: number
  /** Key from which those of digests are derived (`roundKey`); empty if none are wanted. */
  digestKey: string
}

/** The settings of a run that decide how its vectors are summed, rounded, clipped and encoded on the wire. */
export type ExchangedRun = Pick<RunDescription, 'seed' | 'compress' | 'compressWeights' | 'clip'>

export interface RangeReducerParts<R extends Receiver> {
  /** Part of the vector that the reducer owns, bounded where chunks are. */
  range: Range
  /** Model of the range alone. */
  model: Model
  /** Version of the model's weights: the number of steps already taken. */
  version: number
  tree: LaneTree
  run: ExchangedRun
  /** Seconds on a monotonic clock. */
  now: () => number
  /** Called when all chunks of a partial have arrived. */
  onPartial: (receiver: R, partial: WholePartial) => void
  /** Called when a worker leaves in the middle of a partial of the open step. */
  onUnfinished: (receiver: R, partial: UnfinishedPartial) => void
  /** Called with everything that was offered to the sum of a step, before `onPartial` and before the step's sums are known; only in steps with a key. */
  onDeposit: (receiver: R, deposit: Deposit) => void
  onSpan?: SpanObserver
  /** Floats per chunk on the wire; undefined means the default. */
  chunkFloats?: number
  /** Shared memory for the weights of workers on this machine. */
  board?: WeightsBoard
}

/** Weights of one chunk; a view of the model's memory that is valid until the step after the next. */
interface NewWeights {
  version: number
  /** True if the step before these weights was skipped. */
  leftOut: boolean
  /** Elements within the reducer's range. */
  range: Range
  weights: Float32Array
}

/** A partial of which chunks are still to come. */
interface Upload extends Omit<WholePartial, 'lanes' | 'began'> {
  /** Number of floats received. */
  received: number
  /** Digest of what was received; undefined if none is wanted, or it has been told. */
  digest: PartialDigest | undefined
}

interface Place {
  upload: Upload | undefined
  /** True if the worker joined while a step was being reduced: it gets all new weights when that step is settled. */
  joinedLate: boolean
}

const MIB = 1024 * 1024

/**
 * Owns a contiguous range of the parameter vector: receives its gradients from every worker, sums them along the lane tree, steps the
 * weights and sends them to every worker. With a single reducer, the range is the whole vector and the reducer is in the coordinator.
 */
export class RangeReducer<R extends Receiver> {
  readonly #parts: RangeReducerParts<R>
  readonly #chunkFloats: number
  readonly #gradients: Codec
  readonly #weights: Codec
  readonly #round: RoundSum
  readonly #places = new Map<R, Place>()
  /** Lanes of a round that each worker has been dealt so far; it may be told before the worker's stream of weights is there, and it joins. */
  readonly #dealt = new Map<R, { round: number; lanes: Set<number> }>()
  /** Buffers for the gradient chunks of one step. */
  readonly #pool: VectorPool
  #version: number
  /** True if the step before the current weights was skipped. */
  #leftOut = false
  #open: { round: number; update: StepUpdate; digestKey: string } | undefined
  /** Weights of an evaluation that goes on beside training, for workers that join meanwhile. */
  #kept: { version: number; parameters: Float32Array } | undefined

  constructor(parts: RangeReducerParts<R>) {
    this.#parts = parts
    this.#version = parts.version
    this.#chunkFloats = parts.chunkFloats ?? CHUNK_FLOATS
    const { seed, compress, compressWeights } = parts.run
    this.#gradients = codecFor(compress)
    this.#weights = codecFor(compressWeights)
    this.#round = sumRounding(compress, seed)
    // No more buffers can be needed at a time: one for each chunk of each node of the lane tree.
    this.#pool = new VectorPool(this.#chunkFloats, parts.tree.nodes.length * Math.ceil((parts.range.end - parts.range.begin) / this.#chunkFloats))
  }

  /** Weights and moments of the range after the last settled step: views that are valid until the step after the next begins. */
  get state(): Readonly<OptimizerState> {
    return this.#parts.model.state
  }

  /** Adds a worker: it gets the weights of an evaluation in progress, if there is one, then the current ones, then those of every step. */
  join(receiver: R): void {
    this.#places.set(receiver, { upload: undefined, joinedLate: this.#open !== undefined })
    const kept = this.#kept
    // These are sent over the connection, since on the board they would overwrite later ones.
    if (kept !== undefined && kept.version < this.#version) {
      for (const { range: { begin }, weights } of this.#chunksOf(kept.version, false, kept.parameters)) {
        receiver.sendWeights({ version: kept.version, leftOut: false, offset: this.#parts.range.begin + begin, data: this.#encoded(weights) })
      }
    }
    this.#send([receiver], this.#allWeights())
  }

  /** Keeps a copy of the current weights for workers that join during an evaluation. To be called between two steps. */
  keepWeights(): void {
    this.#kept = { version: this.#version, parameters: this.#parts.model.parameters.slice() }
  }

  /** Drops the copy once the evaluation is over. */
  forgetWeights(): void {
    this.#kept = undefined
  }

  leave(receiver: R): void {
    const upload = this.#places.get(receiver)?.upload
    this.#places.delete(receiver)
    this.#dealt.delete(receiver)
    if (upload === undefined || upload.round !== this.#open?.round || upload.received === 0) return
    this.#tellDeposit(receiver, upload)
    this.#parts.onUnfinished(receiver, { round: upload.round, node: upload.node, floats: upload.received })
  }

  /** Notes that a worker has been dealt lanes of a round: it may deliver them, alone or summed. */
  dealt(receiver: R, round: number, lanes: readonly number[]): void {
    let dealt = this.#dealt.get(receiver)
    if (dealt?.round !== round) this.#dealt.set(receiver, (dealt = { round, lanes: new Set() }))
    for (const lane of lanes) dealt.lanes.add(lane)
  }

  /** True unless the chunk would be added to the open step, though its partial has a lane that the worker was not dealt. */
  wasDealt(receiver: R, { round, node: id }: GradientChunk): boolean {
    const node = this.#parts.tree.nodes.at(id)
    if (round !== this.#open?.round || node === undefined || !this.#places.has(receiver)) return true
    const dealt = this.#dealt.get(receiver)
    if (dealt?.round !== round) return false
    for (let lane = node.begin; lane < node.end; lane++) if (!dealt.lanes.has(lane)) return false
    return true
  }

  /** Opens a step, whose partials `receive` takes from now on. */
  begin({ round, digestKey, ...numbers }: StepToReduce): void {
    const { model, range: { begin: origin }, run: { clip }, tree, now, onSpan } = this.#parts
    const version = stepOf(round) + 1
    this.#open = {
      round, digestKey,
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
   * Takes a chunk of a partial. Chunks of a round that is over are late and not added.
   * @throws ProtocolError if the worker has not joined, it was not dealt the lanes, or the chunk does not follow the one before it or does not
   * fit this range
   */
  receive(receiver: R, chunk: GradientChunk): void {
    const { range, tree, onPartial } = this.#parts
    const place = this.#places.get(receiver)
    if (place === undefined) throw new ProtocolError('a gradient chunk of no member')
    const node = tree.nodes.at(chunk.node)
    if (node === undefined) throw new ProtocolError(`a gradient chunk of node ${chunk.node}, which is not of this run`)
    // An unfinished partial is dropped if its round is over. In the open round its lanes would stay owed for ever, so it must be completed first.
    if (chunk.offset === range.begin && place.upload?.round !== this.#open?.round) place.upload = undefined
    const upload = (place.upload ??= { round: chunk.round, node: chunk.node, attempt: chunk.attempt, received: 0, digest: this.#newDigest(chunk) })
    if (!this.wasDealt(receiver, chunk)) throw new ProtocolError(`a partial of ${lanesOf(node)}, of which it was not dealt all`)
    if (upload.round !== chunk.round || upload.node !== chunk.node || upload.attempt !== chunk.attempt || range.begin + upload.received !== chunk.offset) {
      throw new ProtocolError('gradient chunks came out of order')
    }
    const floats = this.#gradients.floatsIn(chunk.shared?.length ?? chunk.data.length, 'a gradient chunk')
    if (this.#open?.round === chunk.round) this.#add(this.#open.update, upload, this.#valuesOf(receiver, chunk, floats))
    upload.received += floats
    if (this.#open?.round === chunk.round && this.#open.update.complete) this.#tellDeposits(chunk.round)
    if (chunk.lanes.length === 0) return
    place.upload = undefined
    const reported = chunk.lanes.map((report) => report.lane)
    if (reported.join() !== Array.from({ length: node.end - node.begin }, (_, i) => node.begin + i).join()) {
      throw new ProtocolError(`the partial of ${lanesOf(node)} reports lanes ${reported.join()}`)
    }
    if (upload.received !== range.end - range.begin) throw new ProtocolError(`a partial ended after ${upload.received} floats`)
    this.#tellDeposit(receiver, upload)
    onPartial(receiver, { round: chunk.round, attempt: chunk.attempt, node: chunk.node, lanes: chunk.lanes, began: chunk.began })
  }

  /** Begins the digest of an upload; undefined if none is wanted, or the sum is complete without it. */
  #newDigest({ round, session, node }: GradientChunk): PartialDigest | undefined {
    const open = this.#open
    return open === undefined || open.round !== round || open.digestKey === '' || open.update.complete ? undefined : new PartialDigest(depositKey(open.digestKey, { session, node }))
  }

  #add(update: StepUpdate, upload: Upload, values: Float32Array): void {
    upload.digest?.add(values)
    update.add(upload.node, upload.received, values)
  }

  /** Tells of the partials of a round that were cut short, because its sum is complete without the rest. */
  #tellDeposits(round: number): void {
    for (const [receiver, { upload }] of this.#places) if (upload?.round === round && upload.received > 0) this.#tellDeposit(receiver, upload)
  }

  #tellDeposit(receiver: R, upload: Upload): void {
    const { digest, round, node } = upload
    upload.digest = undefined
    if (digest !== undefined) this.#parts.onDeposit(receiver, { round, node, begin: this.#parts.range.begin, floats: digest.floats, digest: digest.end() })
  }

  /** Sums of the open step; undefined while partials are missing. */
  get sums(): RangeSums | undefined {
    return this.#open?.update.complete === true ? this.#open.update.sums : undefined
  }

  /**
   * Ends the open step: commits the new weights, or skips the step and sends the unchanged weights as the next version. Disconnects workers
   * that are too many versions behind.
   * @returns seconds of the work that had to wait for the verdict
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
    // No worker can have got all chunks of a skipped step, so its version begins again with the unchanged weights.
    const lacking = [...this.#places].filter(([, { joinedLate }]) => joinedLate || leaveOut)
    this.#send(lacking.map(([receiver]) => receiver), this.#allWeights())
    for (const [, place] of lacking) place.joinedLate = false
    const limit = VERSIONS_BEHIND * Math.max((range.end - range.begin) * 4, MIB)
    for (const receiver of [...this.#places.keys()]) if (receiver.backlogBytes > limit) receiver.evict('it does not take its weights')
    return phases
  }

  /** Decodes a chunk into a buffer of the pool, so that the message itself is short-lived garbage. @throws ProtocolError as `payloadOf` */
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

  /** Sends chunks: writes each to the board once for all workers that read there, and encodes it once for all others. */
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
      // A copy, since the model's memory may be overwritten before a slow worker has received the chunk.
      const message: WeightsChunk = { ...chunk, data: this.#weights.compression === 'none' ? Buffer.from(bytes) : bytes }
      for (const receiver of others) receiver.sendWeights(message)
    }
  }

  /** Encodes weights for the wire; without compression, the result is a view of them. */
  #encoded(weights: Float32Array): Buffer {
    return this.#weights.encode(this.#weights.compression === 'none' ? weights : roundedWeights(this.#weights, weights))
  }
}

function lanesOf({ begin, end }: Range): string {
  return end - begin === 1 ? `lane ${begin}` : `lanes ${begin} to ${end - 1}`
}

/** Locates the bytes of a chunk, in its message or in shared memory. @throws ProtocolError if they are in memory that the worker does not share */
function payloadOf({ memory }: Receiver, { data, shared }: GradientChunk): Payload {
  if (shared === undefined || shared === null) return data
  if (memory === undefined) throw new ProtocolError('a gradient chunk is in memory that the worker does not share')
  return { length: shared.length, readInto: (target) => memory.read(shared.at, target) }
}
