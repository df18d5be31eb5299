import type { DecodedCache } from '../shared/data/caches/decoded_cache.ts'
import type { InputFacts } from '../shared/data/input_fingerprint.ts'
import type { ImageSource } from '../shared/data/sources/image_source.ts'
import type { Samples } from '../shared/data/columns/samples.ts'
import type { EngineInfo } from '../shared/engine/engine.ts'
import { EngineError, messageOf, ProtocolError } from '../shared/kit/errors.ts'
import { codecFor } from '../shared/compress/codec.ts'
import { frozenLayoutOf, layoutOf } from '../shared/model/layout.ts'
import { CHUNK_FLOATS } from '../shared/vectors/chunks.ts'
import type { Compute } from '../shared/compute/compute.ts'
import { checkedJson, PROTOCOL_VERSION, type CoordinatorMessage, type Deal, type ReducerPlace, type Welcome } from '../shared/wire/messages.ts'
import { plainText } from '../shared/kit/fields.ts'
import { Participation, type MembershipEnd } from '../shared/wire/participation.ts'
import { runDescriptionSchema, type RunDescription } from '../shared/wire/run_description.ts'
import { StateInbox } from '../shared/wire/state_chunks.ts'
import type { Connect, Link } from './link.ts'
import { WorkSession, type SessionObserver } from './session.ts'
import { WeightsInbox } from './weights_inbox.ts'

export interface MembershipObserver extends SessionObserver {
  onJoined(run: { name: string; model: string }, engine: EngineInfo): void
  onLeft(): void
  onTraffic(totals: { sent: number; received: number }): void
  /**
   * Receives three sizes in bytes: resident memory of the worker and its compute process, decoded images held in memory, and the machine's cache
   * file of decoded images.
   */
  onMemory(bytes: { resident: number; decoded: number; file: number }): void
}

/** The images of a run, as a worker reads them. */
export interface OpenedImages {
  samples: Samples
  source: ImageSource
  /** Cache of decoded images. */
  decoded: DecodedCache
}

/** What a worker knows of a run's data set. */
export interface OpenedData {
  /** Digest of the worker's own copy of the data set; empty if it has none. */
  digest: string
  /** Undefined if the own copy is of another data set, with which no worker is taken. */
  images: OpenedImages | undefined
}

/** The surroundings of a membership: network, engine, data and time are passed in. */
export interface MembershipParts<C extends Compute> {
  name: string
  /** Random identifier of this process. A worker that joins again replaces its own earlier membership by it. */
  instance: string
  engine: 'auto' | 'native' | 'wasm'
  /** HOST:PORT of the worker's metrics; :PORT if they are served on every address of this machine; empty if none are served. */
  metricsAddress: string
  connect: Connect
  startCompute: (run: RunDescription) => Promise<C>
  /** Finds out what this machine does to images before the engine gets them. */
  inputFacts: (run: RunDescription) => Promise<InputFacts>
  /** Fetches what the coordinator tells of the data set. @returns the function that then opens the data */
  fetchData: (link: Link, run: RunDescription) => Promise<() => Promise<OpenedData>>
  /** Measures the resident memory in bytes of the worker and, if there is one, its compute process. */
  residentBytes: (compute: C | undefined) => Promise<number>
  /**
   * Calls an action periodically.
   * @returns a function that ends the calls
   */
  every: (milliseconds: number, action: () => void) => () => void
  /** Clock in seconds that all processes of the machine share (`machineSeconds`). */
  now: () => number
  observer: MembershipObserver
  /** Number of floats in one chunk on the wire; undefined: the default. The coordinator must use the same. */
  chunkFloats?: number
}

/** The end of a membership, and how far the membership had come. */
export interface MembershipResult {
  end: MembershipEnd
  /** True if the coordinator has answered the hello with a welcome. */
  welcomed: boolean
  /** True if the worker has become ready to compute. */
  joined: boolean
}

/** One membership of a worker in a run, from Hello to its end. */
export class Membership<C extends Compute> {
  readonly #parts: MembershipParts<C>
  readonly #link: Link
  readonly #participation: Participation
  #session: WorkSession | undefined
  #compute: C | undefined
  #decoded: DecodedCache | undefined
  #welcomed = false
  #joined = false
  /** Last deal of each kind. Kinds are ordered separately, because blocks of the test set may be dealt while later steps are. */
  readonly #lastDealt = { TRAIN: { round: 0, step: 0 }, EVALUATE: { round: 0, step: 0 } }
  #over = false

  constructor(parts: MembershipParts<C>) {
    this.#parts = parts
    this.#link = parts.connect((message) => this.#receive(message))
    this.#participation = new Participation({ kind: 'worker', link: this.#link, every: parts.every, now: parts.now })
  }

  /**
   * Takes part in the run until it ends, the link is lost, or `leave` is called.
   * @throws RunError if the coordinator refuses the worker, or if the engine or the data fail
   */
  async run(): Promise<MembershipResult> {
    const { name, instance, observer } = this.#parts
    const link = this.#link
    link.send({ message: 'hello', hello: { protocolVersion: PROTOCOL_VERSION, name: plainText(name, 200), instance } })
    try {
      const end = await this.#participation.untilEnd(() => void this.#beat())
      return { end, welcomed: this.#welcomed, joined: this.#joined }
    } catch (error) {
      link.send({ message: 'leaving', leaving: { reason: plainText(messageOf(error), 1000) } })
      throw error
    } finally {
      observer.onLeft()
      this.#over = true
      await link.close()
      await this.#compute?.close()
    }
  }

  /**
   * Leaves in an orderly way: the worker finishes and delivers what it was dealt, then the coordinator tells it to stop. A worker that is not
   * ready yet leaves at once.
   */
  leave(): void {
    this.#participation.ask()
    if (this.#session !== undefined) return this.#link.send({ message: 'draining', draining: {} })
    this.#link.send({ message: 'leaving', leaving: { reason: 'it was asked to stop' } })
    void this.#link.close()
  }

  #receive(message: CoordinatorMessage): void {
    switch (message.message) {
      case 'welcome':
        if (this.#welcomed) throw new ProtocolError('welcome came twice')
        this.#welcomed = true
        this.#prepare(message.welcome).catch(this.#participation.fail)
        break
      case 'deal':
        this.#requireOrder(message.deal)
        this.#session?.deal(message.deal)
        break
      case 'release':
        this.#session?.release(message.release)
        break
      case 'abandon':
        this.#session?.abandon(message.abandon)
        break
      case 'check':
        this.#session?.check(message.check)
        break
      default:
        return this.#participation.take(message)
    }
  }

  /**
   * Rejects a deal that is older than the last one of its kind: it could wait for weights that never come, and block the deals behind it.
   * @throws ProtocolError if its round or step is lower
   */
  #requireOrder({ kind, round, step }: Deal): void {
    const last = this.#lastDealt[kind]
    if (round < last.round || step < last.step) throw new ProtocolError(`a deal of round ${round}, step ${step}, came after one of round ${last.round}, step ${last.step}`)
    this.#lastDealt[kind] = { round, step }
  }

  /**
   * Does everything between Welcome and Ready: opens the bulk streams, loads the engine, opens the data.
   * @throws EngineError if the run computes on another engine than --engine asks for
   * @throws ProtocolError if the run's description or its reducers are not valid; what `fetchData` and opening throw
   */
  async #prepare(welcome: Welcome): Promise<void> {
    const { engine, metricsAddress, observer, now, chunkFloats } = this.#parts
    const link = this.#link
    const run = checkedJson(runDescriptionSchema, welcome.run, "the coordinator's run")
    if (engine !== 'auto' && engine !== run.engine) {
      throw new EngineError(`--engine ${engine}: the run computes on ${run.engine}; leave --engine out to take part.`)
    }
    const { size } = layoutOf(run.network)
    const { reducers } = welcome
    requireWhole(reducers, size, chunkFloats)
    const ranges = reducers.length === 0 ? [{ begin: 0, end: size }] : reducers
    const weights = new WeightsInbox(size, ranges, codecFor(run.compressWeights))
    link.openBulk(welcome, (chunk) => weights.receive(chunk))
    const [compute, openData, frozen] = await Promise.all([this.#startCompute(run), this.#parts.fetchData(link, run), this.#fetchFrozen(run)])
    if (frozen.length > 0) compute.setFrozen(frozen)
    const { digest, images } = await openData()
    const input = await this.#parts.inputFacts(run)
    this.#decoded = images?.decoded
    if (images !== undefined) this.#session = new WorkSession({ link, run, ...images, compute, weights, observer, now, onFailure: this.#participation.fail, ranges, ...(chunkFloats === undefined ? {} : { chunkFloats }) })
    link.send({
      message: 'ready',
      ready: { engine: JSON.stringify(compute.info), fingerprint: compute.fingerprint, inputFingerprint: input.fingerprint, versions: input.versions, datasetDigest: digest, metricsAddress },
    })
    this.#joined = true
    observer.onJoined({ name: run.name, model: run.network.name }, compute.info)
  }

  /** Fetches the parameters that keep their values. @throws ProtocolError if some are missing */
  async #fetchFrozen({ network }: RunDescription): Promise<Float32Array> {
    const { size } = frozenLayoutOf(network)
    const frozen = new Float32Array(size)
    if (size === 0) return frozen
    const inbox = new StateInbox({ parameters: frozen, moments: [] }, { begin: 0, end: size }, 0)
    for await (const chunk of this.#link.fetchFrozen()) inbox.receive(chunk)
    if (!inbox.complete) throw new ProtocolError('the coordinator sent a part of the frozen parameters only.')
    return frozen
  }

  /**
   * Starts the engine of this session. It is closed together with the session: a session that is over may still be feeding lanes, which must
   * never mix with those of the next session.
   * @throws ProtocolError if the membership ended while the engine was starting
   */
  async #startCompute(run: RunDescription): Promise<C> {
    const compute = await this.#parts.startCompute(run)
    if (this.#over) {
      await compute.close()
      throw new ProtocolError('the connection was lost while the engine was starting')
    }
    this.#compute = compute
    return compute
  }

  async #beat(): Promise<void> {
    const { observer, residentBytes } = this.#parts
    observer.onTraffic({ sent: this.#link.bytesSent, received: this.#link.bytesReceived })
    const resident = await residentBytes(this.#compute)
    observer.onMemory({ resident, decoded: this.#decoded?.bytes ?? 0, file: this.#decoded?.fileBytes ?? 0 })
    this.#link.send({ message: 'heartbeat', heartbeat: { residentBytes: resident } })
  }
}

/**
 * Checks that the reducers' ranges cover the whole vector without gaps and begin at chunk boundaries.
 * @throws ProtocolError if they do not
 */
function requireWhole(reducers: readonly ReducerPlace[], size: number, chunkFloats = CHUNK_FLOATS): void {
  let end = 0
  for (const range of reducers) {
    if (range.begin !== end || range.begin % chunkFloats !== 0) throw new ProtocolError(`the coordinator has a reducer for parameters ${range.begin} to ${range.end - 1}, after one to ${end - 1}, where chunks have ${chunkFloats}.`)
    end = range.end
  }
  if (reducers.length > 0 && end !== size) throw new ProtocolError(`the coordinator has reducers for ${end} of ${size} parameters.`)
}
