import { z } from 'zod'
import type { ManifestPart } from '../data/manifest.ts'
import { messageOf, ProtocolError } from '../kit/errors.ts'
import { byteCount, lossSum, plain, seconds, text, uint } from '../kit/fields.ts'
import { laneReportSchema } from '../lanes/lane_report.ts'
import { MAX_SPANS, spanSchema } from '../trace/span.ts'

/** Version of the protocol. Both sides must have the same; it grows with every change that an older peer would misread. */
export const PROTOCOL_VERSION = 10

const bytes = z.instanceof(Buffer)
/** Limit of a vector's bytes in one message. */
const MAX_CHUNK_BYTES = 1024 * 1024
/** Limit of the reducers of a run. */
export const MAX_REDUCERS = 256
const digest = z.string().regex(/^[0-9a-f]{64}$/)
/** A key or a digest of 128 bits. */
const hex32 = z.string().regex(/^[0-9a-f]{32}$/)

/** Address of a peer: HOST:PORT, or :PORT at the host that it connects from. */
const addressOfPeer = z.string().max(270).regex(/^(\[[0-9A-Fa-f:.]+\]|[\w.-]*):\d{1,5}$/).refine(hasPort, 'must have a port from 1 to 65535')
const runJson = z.string().max(512 * 1024)

const hello = z.object({ protocolVersion: uint, name: plain(256).min(1), instance: plain(256).min(1) })
const ready = z.object({ engine: text, fingerprint: plain(128), datasetDigest: z.union([z.literal(''), digest]), metricsAddress: z.union([z.literal(''), addressOfPeer]), inputFingerprint: plain(128), versions: plain(256) })
const heartbeat = z.object({ residentBytes: byteCount })
const computed = z.object({ round: uint, lane: uint, seconds })
const abandoned = z.object({ round: uint })
const evaluation = z
  .object({
    round: uint,
    attempt: uint,
    block: uint,
    seconds,
    lossSum,
    predicted: z.array(uint).max(65536),
    probability: z.array(z.union([z.number(), z.nan()])).max(65536),
  })
  .refine((result) => result.predicted.length === result.probability.length, 'as many probabilities as predictions')
const draining = z.object({})
const leaving = z.object({ reason: text })
const spans = z.object({ spans: z.array(spanSchema).max(MAX_SPANS) })
const clockProbe = z.object({ sent: seconds })
const clockReading = z.object({ sent: seconds, clock: seconds })
export const reducerPlaceSchema = z.object({ address: addressOfPeer, begin: uint, end: uint }).refine(({ begin, end }) => begin < end, 'a range must not be empty')
/** Address of the reducer that owns a range of the vector. */
export type ReducerPlace = z.infer<typeof reducerPlaceSchema>
const memoryPlace = z.object({ process: uint, descriptor: uint, key: hex32 })
const sharedMemorySchema = z.object({ weights: memoryPlace, gradients: memoryPlace })
/** Files in memory that a coordinator offers to a worker on its own machine. */
export type SharedMemory = z.infer<typeof sharedMemorySchema>
const welcome = z.object({ session: plain(256).min(1), runId: plain(256).min(1), run: runJson, reducers: z.array(reducerPlaceSchema).max(MAX_REDUCERS), sharedMemory: sharedMemorySchema.nullish() })
export type Welcome = z.infer<typeof welcome>
const refused = z.object({ reason: text })
const deal = z.object({
  kind: z.enum(['TRAIN', 'EVALUATE']),
  round: uint,
  step: uint,
  epoch: uint,
  stepInEpoch: uint,
  attempt: uint,
  units: z.array(uint).min(1).max(65536),
})
const release = z.object({ round: uint, units: z.array(uint).min(1).max(65536) })
const abandon = z.object({ round: uint })
const stop = z.object({ reason: text, finished: z.boolean() })
const checkedPart = z.object({ begin: uint, floats: z.int().min(1) })
const check = z.object({ id: uint, step: uint, epoch: uint, stepInEpoch: uint, node: uint, key: hex32, parts: z.array(checkedPart).max(MAX_REDUCERS) })
/** Lanes that are to be computed once more, and compared. */
export type Check = z.infer<typeof check>
const answer = z.object({ id: uint, key: hex32, digests: z.array(hex32).max(MAX_REDUCERS), notFinite: z.boolean(), gone: z.boolean() })
/** The answer to a `Check`. */
export type Checked = z.infer<typeof answer>

export const workerMessageSchema = z.discriminatedUnion('message', [
  z.object({ message: z.literal('hello'), hello }),
  z.object({ message: z.literal('ready'), ready }),
  z.object({ message: z.literal('heartbeat'), heartbeat }),
  z.object({ message: z.literal('evaluation'), evaluation }),
  z.object({ message: z.literal('computed'), computed }),
  z.object({ message: z.literal('abandoned'), abandoned }),
  z.object({ message: z.literal('draining'), draining }),
  z.object({ message: z.literal('leaving'), leaving }),
  z.object({ message: z.literal('spans'), spans }),
  z.object({ message: z.literal('clockReading'), clockReading }),
  z.object({ message: z.literal('checked'), checked: answer }),
])
export type WorkerMessage = z.infer<typeof workerMessageSchema>

export const coordinatorMessageSchema = z.discriminatedUnion('message', [
  z.object({ message: z.literal('welcome'), welcome }),
  z.object({ message: z.literal('refused'), refused }),
  z.object({ message: z.literal('deal'), deal }),
  z.object({ message: z.literal('release'), release }),
  z.object({ message: z.literal('abandon'), abandon }),
  z.object({ message: z.literal('stop'), stop }),
  z.object({ message: z.literal('clockProbe'), clockProbe }),
  z.object({ message: z.literal('check'), check }),
])
export type CoordinatorMessage = z.infer<typeof coordinatorMessageSchema>
export type Deal = z.infer<typeof deal>
export type LaneComputed = z.infer<typeof computed>
export type EvaluationResult = z.infer<typeof evaluation>

export const sessionRequestSchema = z.object({ session: z.string().max(256), sharesMemory: z.boolean() })

/** Returns the number of a chunk's bytes, in the message or in shared memory. */
export function payloadBytes({ data, shared }: { data: Buffer; shared?: SharedBytes | null | undefined }): number {
  return shared?.length ?? data.length
}

const BOTH_PLACES = 'must not have both data and shared bytes'
const sharedBytes = z.object({ at: z.int().min(0), length: z.int().min(1).max(MAX_CHUNK_BYTES) })
/** Place of bytes in a file of the shared memory. */
export type SharedBytes = z.infer<typeof sharedBytes>
export const weightsChunkSchema = z
  .object({ version: uint, offset: uint, data: bytes, leftOut: z.boolean(), shared: sharedBytes.nullish() })
  .refine(isInOnePlace, BOTH_PLACES)
export type WeightsChunk = z.infer<typeof weightsChunkSchema>
export const gradientChunkSchema = z
  .object({
    session: z.string().max(256),
    round: uint,
    attempt: uint,
    node: uint,
    offset: uint,
    data: bytes,
    lanes: z.array(laneReportSchema).max(65536),
    began: seconds,
    shared: sharedBytes.nullish(),
  })
  .refine(isInOnePlace, BOTH_PLACES)
export type GradientChunk = z.infer<typeof gradientChunkSchema>

const session = plain(256).min(1)
const whole = z.object({ session, round: uint, attempt: uint, node: uint, lanes: z.array(laneReportSchema).min(1).max(65536), began: seconds })
const summed = z.object({
  round: uint,
  squares: z.array(z.number().min(0)).max(65536),
  notFinite: uint.optional(),
  reduce: seconds,
  optimizer: seconds,
  broadcast: seconds,
  traffic: z.array(z.object({ session, received: byteCount, sent: byteCount })).max(65536),
})
const unfinished = z.object({ session, round: uint, node: uint, floats: uint })
const deposited = unfinished.extend({ digest: hex32 })
export const reducerMessageSchema = z.discriminatedUnion('message', [
  z.object({ message: z.literal('hello'), hello: z.object({ protocolVersion: uint, address: addressOfPeer }) }),
  z.object({ message: z.literal('ready'), ready: z.object({}) }),
  z.object({ message: z.literal('admitted'), admitted: z.object({ session }) }),
  z.object({ message: z.literal('whole'), whole }),
  z.object({ message: z.literal('summed'), summed }),
  z.object({ message: z.literal('broken'), broken: z.object({ session, reason: text }) }),
  z.object({ message: z.literal('unfinished'), unfinished }),
  z.object({ message: z.literal('deposited'), deposited }),
  z.object({ message: z.literal('heartbeat'), heartbeat: z.object({}) }),
  z.object({ message: z.literal('spans'), spans }),
  z.object({ message: z.literal('clockReading'), clockReading }),
])
export type ReducerMessage = z.infer<typeof reducerMessageSchema>
export type Summed = z.infer<typeof summed>
export type Whole = z.infer<typeof whole>
export type Unfinished = z.infer<typeof unfinished>

const assigned = z
  .object({ session, run: runJson, begin: uint, end: uint, version: uint })
  .refine(({ begin, end }) => begin < end, 'a range must not be empty')
const begin = z.object({ round: uint, samples: z.int().min(1).max(65536), update: z.int().min(1).max(4294967295), rate: z.number().min(0), digestKey: z.union([z.literal(''), hex32]) })
const dealt = z.object({ session, round: uint, lanes: z.array(uint).min(1).max(65536) })
const settle = z.object({ round: uint, leaveOut: z.boolean(), scale: z.number().min(0).max(1) })
const gather = z.object({ id: uint, moments: z.boolean(), version: uint })
export const reductionMessageSchema = z.discriminatedUnion('message', [
  z.object({ message: z.literal('assigned'), assigned }),
  z.object({ message: z.literal('refused'), refused }),
  z.object({ message: z.literal('admit'), admit: z.object({ session }) }),
  z.object({ message: z.literal('join'), join: z.object({ session }) }),
  z.object({ message: z.literal('dismissed'), dismissed: z.object({ session }) }),
  z.object({ message: z.literal('begin'), begin }),
  z.object({ message: z.literal('dealt'), dealt }),
  z.object({ message: z.literal('settle'), settle }),
  z.object({ message: z.literal('gather'), gather }),
  z.object({ message: z.literal('stop'), stop }),
  z.object({ message: z.literal('clockProbe'), clockProbe }),
])
export type ReductionMessage = z.infer<typeof reductionMessageSchema>
export type Assigned = z.infer<typeof assigned>
export type Gather = z.infer<typeof gather>
export type Dealt = z.infer<typeof dealt>

export const stateChunkSchema = z.object({ session: z.string().max(256), id: uint, vector: uint, offset: uint, data: bytes })
export type StateChunk = z.infer<typeof stateChunkSchema>

export const manifestRequestSchema = z.object({ session: z.string().max(256), ownCopy: z.boolean() })
const sampleColumns = z.object({ paths: bytes, hashes: bytes, classes: bytes, bytes, tests: bytes })
export const manifestPartSchema: z.ZodType<ManifestPart> = z.discriminatedUnion('part', [
  z.object({ part: z.literal('head'), head: z.object({ digest, classes: uint, samples: uint, skipped: uint, testFraction: z.number() }) }),
  z.object({ part: z.literal('classNames'), classNames: z.object({ names: z.array(z.string()) }) }),
  z.object({ part: z.literal('columns'), columns: sampleColumns }),
  z.object({ part: z.literal('skipped'), skipped: z.object({ places: z.array(uint) }) }),
])
export const imagesRequestSchema = z.object({ session: z.string().max(256), samples: z.array(uint).max(65536) })
export const imageFileSchema = z.object({ sample: uint, data: bytes })
export const watchRequestSchema = z.object({ intervalMs: uint })
export const briefMessageSchema = z.object({ json: z.string() })

function hasPort(address: string): boolean {
  const port = Number(address.slice(address.lastIndexOf(':') + 1))
  return port >= 1 && port <= 65535
}

function isInOnePlace({ data, shared }: { data: Buffer; shared?: SharedBytes | null | undefined }): boolean {
  return data.length === 0 || shared === null || shared === undefined
}

/**
 * Checks one message as it enters the process.
 * @param message the decoded message, or the ProtocolError that says why it cannot be read
 * @param what names the peer and the message, for error messages
 * @throws ProtocolError that names the peer, the message and the first field that is wrong
 */
export function checked<T>(schema: z.ZodType<T>, message: unknown, what: string): T {
  if (message instanceof ProtocolError) throw new ProtocolError(`${what} ${message.message}`)
  const result = parse(schema, message, what)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw new ProtocolError(`${what} is not as the protocol has it: ${issue.path.join('.') || 'message'}: ${issue.message}`)
}

/** Validates a value. Deep nesting, a thousand levels, overflows the validator's stack, since it is recursive: that is a ProtocolError too. */
function parse<T>(schema: z.ZodType<T>, message: unknown, what: string): z.ZodSafeParseResult<T> {
  try {
    return schema.safeParse(message)
  } catch (error) {
    throw new ProtocolError(`${what} cannot be checked: ${messageOf(error)}`)
  }
}

/**
 * Checks a JSON text inside a message.
 * @param what names the peer and the text, for error messages
 * @throws ProtocolError if it is not JSON, or with the first field that is wrong
 */
export function checkedJson<T>(schema: z.ZodType<T>, json: string, what: string): T {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    throw new ProtocolError(`${what} is not valid JSON.`)
  }
  return checked(schema, value, what)
}
