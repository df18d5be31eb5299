import { spawn, type ChildProcess } from 'node:child_process'
import { setPriority } from 'node:os'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import type { EngineInfo } from '../engine/engine.ts'
import type { EngineRequest } from '../engine/create.ts'
import { computeEnvironment } from '../engine/native.ts'
import { DataError, EngineError } from '../kit/errors.ts'
import type { Log } from '../kit/log.ts'
import { layoutOf } from '../model/layout.ts'
import type { Network } from '../model/network.ts'
import { nodeArguments } from '../kit/node_process.ts'
import { programFile } from '../kit/project.ts'
import type { Compute } from './compute.ts'
import type { LaneSettings, PreparedLane, Stretch, LaneSum } from '../lanes/lane_stack.ts'
import { bytesOf, floatsOf } from '../kit/floats.ts'
import { CONTENT_AT, MemoryFile, PAGE_BYTES } from '../kit/memory_file.ts'
import { Regions } from '../kit/regions.ts'
import { MEMORY_FD, REPLY_FD, REQUEST_FD, replySchema, type Reply, type Request } from './compute_protocol.ts'
import { onFrames, sendFrame } from './frames.ts'
import type { PhotographRequest } from './photograph.ts'

/** Lines of TensorFlow that no setting silences: some when it is loaded with CUDA, and informational ones ("I0000 ...") about its first graph or a GPU. */
const NOISE = [/Unable to register cu/, /oneDNN supports DT_BFLOAT16 only/, /All log messages before absl::InitializeLog\(\)/, /^I\d{4} \d\d:\d\d:/]

/** A request that has not been answered yet. */
interface Waiting {
  resolve(reply: { reply: Reply; body: Buffer }): void
  reject(error: Error): void
  /** Number of bodies put into shared memory up to and with this request: the process has read all of them when it answers. */
  bodies: number
}

/** Size of the shared memory in bytes; parts that are never used take no memory. */
const MEMORY_BYTES = 1024 * 1024 * 1024

export interface ProcessSettings {
  /**
   * Receives each line that the process writes to standard error: a warning, or for debugging one of TensorFlow's usual lines. By default
   * warnings go to this process's standard error.
   */
  log?: Pick<Log, 'warn' | 'debug'>
  /** Priority of the process, as in `os.constants.priority`; by default that of this process. */
  priority?: number
  /** Creates the memory that is shared with the process. If it returns undefined, all data goes through the pipes. */
  createMemory?: () => MemoryFile | undefined
}

const toStandardError: Pick<Log, 'warn' | 'debug'> = { warn: (line: string) => void process.stderr.write(`${line}\n`), debug: () => undefined }

/** `Compute` in a child process of its own. When the process dies, pending and later calls fail with an EngineError. */
export class ComputeProcess implements Compute {
  readonly #child: ChildProcess
  readonly #requests: Writable
  readonly #waiting: Waiting[] = []
  readonly #exited: Promise<void>
  /** Shared memory for the bodies of requests and replies. Megabytes would go through a pipe at half the speed, and the engine would stand still meanwhile. */
  readonly #memory: MemoryFile | undefined
  readonly #regions = new Regions(MEMORY_BYTES, PAGE_BYTES)
  /** Places of the bodies that the process may not have read yet, in the order of their requests; counted from `CONTENT_AT` in the shared memory. */
  readonly #bodies: number[] = []
  /** Number of bodies put into shared memory so far. */
  #placed = 0
  #bytesOfGradient = 0
  #failure: EngineError | undefined
  #info: EngineInfo | undefined
  #fingerprint = ''
  #note: string | undefined

  private constructor(request: EngineRequest, { log = toStandardError, priority, createMemory = () => MemoryFile.create() }: ProcessSettings) {
    this.#memory = createMemory()
    const stdio: ('ignore' | 'inherit' | 'pipe' | number)[] = ['ignore', 'inherit', 'pipe']
    stdio[REQUEST_FD] = 'pipe'
    stdio[REPLY_FD] = 'pipe'
    stdio[MEMORY_FD] = this.#memory?.descriptor ?? 'ignore'
    this.#child = spawn(process.execPath, nodeArguments(programFile('compute')), {
      stdio,
      env: { ...process.env, ...computeEnvironment(request) },
    })
    if (priority !== undefined && this.#child.pid !== undefined) setPriority(this.#child.pid, priority)
    this.#requests = this.#child.stdio[REQUEST_FD] as Writable
    // A write to a dead process fails here, but what is reported is the exit of the process, below.
    this.#requests.on('error', () => undefined)
    onFrames(this.#child.stdio[REPLY_FD] as Readable, ({ header, body }) => this.#receive(replySchema.parse(header), body))
    createInterface(this.#child.stdio[2] as Readable).on('line', (line) => {
      if (NOISE.some((noise) => noise.test(line))) log.debug(line)
      else log.warn(line)
    })
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#fail(new EngineError(`the compute process ended ${signal === null ? `with code ${code}` : `by ${signal}`}.`))
        this.#memory?.close()
        resolve()
      })
      this.#child.once('error', (error) => {
        this.#fail(new EngineError(`the compute process cannot be started: ${error.message}`))
        this.#memory?.close()
        resolve()
      })
    })
  }

  /**
   * Starts the process and compiles the network in it.
   * @throws EngineError if the process cannot be started, or the engine cannot be loaded in it.
   */
  static async start(network: Network, { seed, compress }: LaneSettings, request: EngineRequest, settings: ProcessSettings = {}): Promise<ComputeProcess> {
    const started = new ComputeProcess(request, settings)
    started.#bytesOfGradient = layoutOf(network).size * Float32Array.BYTES_PER_ELEMENT
    const { reply } = await started.#ask({ type: 'init', network, seed, compress, ...request, gpu: request.gpu ?? null, sharesMemory: started.#memory !== undefined })
    if (reply.type !== 'ready') throw new EngineError(`the compute process answered ${reply.type} to init.`)
    started.#info = reply.info
    started.#fingerprint = reply.fingerprint
    started.#note = reply.note ?? undefined
    return started
  }

  get info(): EngineInfo {
    if (this.#info === undefined) throw new Error('the compute process is not ready')
    return this.#info
  }

  /** True until the process fails, ends or is closed. */
  get usable(): boolean {
    return this.#failure === undefined
  }

  get fingerprint(): string {
    return this.#fingerprint
  }

  get note(): string | undefined {
    return this.#note
  }

  /** Process id, with which the memory of the process is measured. */
  get pid(): number | undefined {
    return this.#child.pid
  }

  setParameters(parameters: Float32Array): void {
    this.#send({ type: 'parameters' }, bytesOf(parameters))
  }

  setFrozen(parameters: Float32Array): void {
    this.#send({ type: 'frozen' }, bytesOf(parameters))
  }

  async push({ images, ...lane }: PreparedLane, node: number): Promise<Stretch> {
    const { reply } = await this.#ask({ type: 'push', node, ...lane }, images)
    if (reply.type !== 'pushed') throw new EngineError(`the compute process answered ${reply.type} to push.`)
    return { begin: reply.begin, end: reply.end }
  }

  add(node: number): void {
    this.#send({ type: 'add', node })
  }

  async take(): Promise<LaneSum> {
    const at = this.#memory === undefined ? undefined : this.#regions.take(this.#bytesOfGradient)
    if (at === undefined) return this.#partial(await this.#ask({ type: 'take' }))
    try {
      return this.#partial(await this.#ask({ type: 'take', shared: { at: CONTENT_AT + at, length: this.#bytesOfGradient } }), CONTENT_AT + at)
    } finally {
      this.#regions.free(at)
    }
  }

  /** Reads the answer to `take`. @param at position of the values in shared memory, if the process was asked to put them there */
  #partial({ reply, body }: { reply: Reply; body: Buffer }, at = 0): LaneSum {
    if (reply.type !== 'partial') throw new EngineError(`the compute process answered ${reply.type} to take.`)
    if (!reply.isShared) return { values: floatsOf(body), lanes: reply.lanes }
    const values = new Float32Array(this.#bytesOfGradient / Float32Array.BYTES_PER_ELEMENT)
    this.#memory?.read(at, bytesOf(values))
    return { values, lanes: reply.lanes }
  }

  async logits(images: Uint8Array, count: number): Promise<Float32Array> {
    const { reply, body } = await this.#ask({ type: 'logits', count }, images)
    if (reply.type !== 'logits') throw new EngineError(`the compute process answered ${reply.type} to logits.`)
    return floatsOf(body)
  }

  /**
   * Decodes a photograph in the process, and computes what the network says of it.
   * @returns float32 [classes]
   * @throws DataError if it cannot be decoded
   */
  async photograph(file: Buffer, request: PhotographRequest): Promise<Float32Array> {
    const { reply, body } = await this.#ask({ type: 'photograph', ...request }, file)
    if (reply.type === 'undecodable') throw new DataError(reply.problem)
    if (reply.type !== 'logits') throw new EngineError(`the compute process answered ${reply.type} to photograph.`)
    return floatsOf(body)
  }

  async clear(): Promise<void> {
    const { reply } = await this.#ask({ type: 'clear' })
    if (reply.type !== 'cleared') throw new EngineError(`the compute process answered ${reply.type} to clear.`)
  }

  /** Ends the process at once; it holds nothing that could be lost. */
  async close(): Promise<void> {
    this.#fail(new EngineError('the compute process was closed.'))
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  #send(request: Request, body?: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure
    const shared = body === undefined ? undefined : this.#put(body)
    if (shared === undefined) sendFrame(this.#requests, request, body)
    else sendFrame(this.#requests, { ...request, shared })
  }

  /** Puts a request's body into shared memory. @returns its position and length in bytes; undefined if there is no room, and the pipe has to carry it */
  #put(body: Uint8Array): { at: number; length: number } | undefined {
    if (this.#memory === undefined || body.length === 0) return undefined
    const at = this.#regions.take(body.length)
    if (at === undefined) return undefined
    if (!this.#memory.write(CONTENT_AT + at, body)) {
      this.#regions.free(at)
      return undefined
    }
    this.#bodies.push(at)
    this.#placed++
    return { at: CONTENT_AT + at, length: body.length }
  }

  #ask(request: Request, body?: Uint8Array): Promise<{ reply: Reply; body: Buffer }> {
    return new Promise((resolve, reject) => {
      this.#send(request, body)
      this.#waiting.push({ resolve, reject, bodies: this.#placed })
    })
  }

  #receive(reply: Reply, body: Buffer): void {
    if (reply.type === 'failed') return this.#fail(new EngineError(reply.message))
    const answered = this.#waiting.shift()
    if (answered === undefined) return
    for (const at of this.#bodies.splice(0, this.#bodies.length - (this.#placed - answered.bodies))) this.#regions.free(at)
    answered.resolve({ reply, body })
  }

  /** Rejects all waiting requests. The first failure is kept, since it is the one that says why. */
  #fail(error: EngineError): void {
    this.#failure ??= error
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#failure)
  }
}
