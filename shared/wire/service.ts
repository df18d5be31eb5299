import path from 'node:path'
import type { GrpcObject, ServiceClientConstructor } from '@grpc/grpc-js'
import { loadPackageDefinition, logVerbosity, setLogVerbosity } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { MAX_MESSAGE_BYTES } from './messages.ts'
import { WINDOW_BYTES } from './http2_window.ts'

const PROTO_FILE = path.join(import.meta.dirname, '../../proto/herd.proto')

/** The service of proto/herd.proto. Its messages are untyped here: each side checks them with shared/wire/messages.ts. */
export function herdService(): ServiceClientConstructor {
  // What goes wrong is said in our own words; GRPC_VERBOSITY shows the library's.
  if (process.env['GRPC_VERBOSITY'] === undefined) setLogVerbosity(logVerbosity.NONE)
  const definition = loadSync(PROTO_FILE, { keepCase: false, longs: Number, enums: String, defaults: true, arrays: true, oneofs: true })
  const loaded = loadPackageDefinition(definition)
  return ((loaded['herd'] as GrpcObject)['v1'] as GrpcObject)['Herd'] as ServiceClientConstructor
}

/** Limits of both sides. Keepalive is left to the application's heartbeats, which know how long a step may take. */
export const channelOptions = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc-node.flow_control_window': WINDOW_BYTES,
}
