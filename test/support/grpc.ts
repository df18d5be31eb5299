import { credentials, InterceptingCall, type Client, type ClientDuplexStream, type ClientReadableStream, type ClientWritableStream, type ServiceError } from '@grpc/grpc-js'
import { herdService } from '../../shared/wire/service.ts'

/** The calls of proto/herd.proto, for tests that play a worker. */
export interface Calls extends Client {
  control(): ClientDuplexStream<unknown, Record<string, unknown>>
  receiveWeights(request: object): ClientReadableStream<unknown>
  sendGradients(callback: (error: ServiceError | null) => void): ClientWritableStream<unknown>
  fetchFrozen(request: object): ClientReadableStream<unknown>
  fetchManifest(request: object): ClientReadableStream<unknown>
  fetchImages(request: object): ClientReadableStream<{ sample: number; data: Buffer }>
  watch(request: object): ClientReadableStream<{ json: string }>
}

/** Makes a client with a connection of its own; a worker has two. @param authorization sent as metadata of each call */
export function connectTo(address: string, authorization?: string): Calls {
  const interceptors = authorization === undefined ? [] : [
    (options: object, next: (options: object) => InterceptingCall) =>
      new InterceptingCall(next(options), {
        start: (metadata, listener, start) => {
          metadata.set('authorization', authorization)
          start(metadata, listener)
        },
      }),
  ]
  return new (herdService())(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1, 'grpc.enable_channelz': 0, interceptors: interceptors as never }) as unknown as Calls
}

/** Waits for the end of a call. @returns the details of its error; '' if it ends without an error */
export function endOf(call: NodeJS.EventEmitter): Promise<string> {
  return new Promise((resolve) => {
    call.on('data', () => undefined)
    call.on('error', (error: ServiceError) => resolve(error.details))
    call.on('end', () => resolve(''))
  })
}
