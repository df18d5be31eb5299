import path from 'node:path'
import { logVerbosity, makeClientConstructor, setLogVerbosity, type ChannelOptions, type MethodDefinition, type ServiceClientConstructor, type ServiceDefinition } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { ProtocolError } from '../kit/errors.ts'
import { ROOT } from '../kit/project.ts'

const PROTO_FILE = path.join(ROOT, 'proto/herd.proto')

const KIB = 1024
const MIB = 1024 * KIB

/** Limit of an image file that is sent. */
const MAX_IMAGE_BYTES = 64 * MIB
/** Limit of a message with a chunk: 1 MiB, and room for the reports of its lanes. */
const MAX_CHUNK_MESSAGE_BYTES = 1.25 * MIB
const MAX_IMAGE_MESSAGE_BYTES = MAX_IMAGE_BYTES + 64 * KIB
const MAX_CONTROL_MESSAGE_BYTES = MIB
/** Limit of a message of `Watch`: enough for a run with thousands of workers. */
const MAX_BRIEF_MESSAGE_BYTES = 8 * MIB

/** Limits of the messages of each call, in bytes: to the coordinator (or reducer), and from it. */
const limits: Record<string, { request: number; response: number }> = {
  Control: { request: MAX_CONTROL_MESSAGE_BYTES, response: MAX_CONTROL_MESSAGE_BYTES },
  ReceiveWeights: { request: KIB, response: MAX_CHUNK_MESSAGE_BYTES },
  SendGradients: { request: MAX_CHUNK_MESSAGE_BYTES, response: KIB },
  FetchManifest: { request: KIB, response: MAX_CHUNK_MESSAGE_BYTES },
  FetchImages: { request: MIB, response: MAX_IMAGE_MESSAGE_BYTES },
  Reduce: { request: MAX_CONTROL_MESSAGE_BYTES, response: MAX_CONTROL_MESSAGE_BYTES },
  FetchState: { request: KIB, response: MAX_CHUNK_MESSAGE_BYTES },
  SendState: { request: MAX_CHUNK_MESSAGE_BYTES, response: KIB },
  FetchFrozen: { request: KIB, response: MAX_CHUNK_MESSAGE_BYTES },
  Watch: { request: KIB, response: MAX_BRIEF_MESSAGE_BYTES },
}

/**
 * Loads the service of proto/herd.proto. Its messages are untyped here; each side checks them with shared/wire/messages.ts. A message that
 * cannot be decoded, or exceeds its call's limit, is replaced by a ProtocolError.
 */
export function herdService(): ServiceClientConstructor {
  // The library's own messages are silenced, because Herd reports errors itself; GRPC_VERBOSITY turns them on.
  if (process.env['GRPC_VERBOSITY'] === undefined) setLogVerbosity(logVerbosity.NONE)
  const loaded = loadSync(PROTO_FILE, { keepCase: false, longs: Number, enums: String, defaults: true, arrays: true, oneofs: true })
  const definition = loaded['herd.v1.Herd'] as ServiceDefinition
  const methods = Object.entries(definition).map(([name, method]) => [name, limited(method, limits[name])])
  return makeClientConstructor(Object.fromEntries(methods) as ServiceDefinition, 'Herd')
}

function limited(method: MethodDefinition<object, object>, { request, response }: { request: number; response: number }): MethodDefinition<object, object> {
  return {
    ...method,
    requestDeserialize: reading(method.requestDeserialize, request),
    responseDeserialize: reading(method.responseDeserialize, response),
    responseSerialize: once(method.responseSerialize),
  }
}

/** Makes a serializer that encodes each message object only once, since the same one may be sent to many peers. A message must not change after it is sent. */
function once(serialize: (message: object) => Buffer): (message: object) => Buffer {
  const done = new WeakMap<object, Buffer>()
  return (message) => {
    const before = done.get(message)
    if (before !== undefined) return before
    const bytes = serialize(message)
    done.set(message, bytes)
    return bytes
  }
}

function reading(deserialize: (bytes: Buffer) => object, limit: number): (bytes: Buffer) => object {
  return (bytes) => {
    if (bytes.length > limit) return new ProtocolError(`is longer than is allowed: ${bytes.length} bytes, where ${limit} are.`)
    try {
      return deserialize(bytes)
    } catch {
      return new ProtocolError(`cannot be decoded: its ${bytes.length} bytes are not as proto/herd.proto has them.`)
    }
  }
}

/** Flow-control window of a connection for bulk data. */
export const WINDOW_BYTES = 16 * MIB

/**
 * Options of all channels. The library's diagnostic service, channelz, is off. So are proxies of the environment: `http_proxy` is meant for the web,
 * and would see the token and the images, or lead to nowhere; even 127.0.0.1 would be asked of it.
 */
const common: ChannelOptions = { 'grpc.enable_channelz': 0, 'grpc.enable_http_proxy': 0, 'grpc.max_send_message_length': MAX_IMAGE_MESSAGE_BYTES }

export const serverOptions: ChannelOptions = { ...common, 'grpc.max_receive_message_length': MAX_CHUNK_MESSAGE_BYTES }

/**
 * Options by which a worker notices a network partition, of which nothing else tells it. Pings on the connection of the heartbeats, which
 * carries no bulk data, detect it within ten seconds, so that the worker tries to join again; the coordinator detects it by missing heartbeats.
 */
const noticePartitions: ChannelOptions = { 'grpc.keepalive_time_ms': 3000, 'grpc.keepalive_timeout_ms': 7000 }

const bulk: ChannelOptions = { ...common, 'grpc.max_receive_message_length': MAX_IMAGE_MESSAGE_BYTES, 'grpc-node.flow_control_window': WINDOW_BYTES }

/**
 * Options of the connections of a worker or a reducer: `control` for small messages, which must never wait, `down` and `up` for bulk data from
 * and to the coordinator. `watch` is that of a program that watches a run.
 */
export const clientOptions: Record<'control' | 'down' | 'up' | 'watch', ChannelOptions> = {
  control: { ...common, ...noticePartitions, 'grpc.max_receive_message_length': MAX_CONTROL_MESSAGE_BYTES },
  down: bulk,
  up: bulk,
  watch: { ...common, ...noticePartitions, 'grpc.max_receive_message_length': MAX_BRIEF_MESSAGE_BYTES },
}
