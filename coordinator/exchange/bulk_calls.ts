import { status, type sendUnaryData, type ServerReadableStream, type ServerWritableStream } from '@grpc/grpc-js'
import type { z } from 'zod'
import { DataError, messageOf, ProtocolError } from '../../shared/kit/errors.ts'
import { checked, gradientChunkSchema, sessionRequestSchema, type GradientChunk, type WeightsChunk } from '../../shared/wire/messages.ts'
import { callError, failCall } from '../port/call_status.ts'
import { takeChunks } from './chunk_streams.ts'
import type { BulkSession } from './worker_streams.ts'

const LOST = 'the connection was lost'

/**
 * The calls of proto/herd.proto that carry weights and gradients, as the coordinator and the reducers serve them. A failure ends the call; a breach
 * of the protocol ends the whole session.
 */
export class BulkCalls<S extends BulkSession> {
  readonly #sessionOf: (id: string) => S | undefined

  /** @param sessionOf returns undefined if there is no such session */
  constructor(sessionOf: (id: string) => S | undefined) {
    this.#sessionOf = sessionOf
  }

  readonly receiveWeights = (call: ServerWritableStream<unknown, WeightsChunk>): void => {
    this.answer(call, sessionRequestSchema, (session, { sharesMemory }) => {
      session.attachWeights(call, sharesMemory)
      call.on('cancelled', () => session.evict(LOST))
    })
  }

  readonly sendGradients = (call: ServerReadableStream<unknown, object>, callback: sendUnaryData<object>): void => {
    let session: S | undefined
    const take = (chunk: GradientChunk): void => {
      const mine = (session ??= this.#sessionOf(chunk.session))
      if (mine?.id !== chunk.session) throw new ProtocolError('a gradient chunk of no member')
      if (!mine.receive(call, chunk)) return
      call.on('cancelled', () => mine.evict(LOST))
      call.on('end', () => mine.evict('the worker closed its stream of gradients'))
    }
    takeChunks(call, gradientChunkSchema, 'a gradient chunk', take, (breach) => {
      if (breach === undefined) return callback(null, {})
      callback(callError(status.INVALID_ARGUMENT, breach), null)
      session?.evict(breach)
    })
  }

  /** Runs an action for the session that a call names. A call that names no session is ended with an error. */
  answer<T extends { session: string }>(call: ServerWritableStream<unknown, unknown>, schema: z.ZodType<T>, action: (session: S, request: T) => void | Promise<void>): void {
    // A broken connection causes an error here too; the session reports the loss.
    call.on('error', () => undefined)
    let request: T
    try {
      request = checked(schema, call.request, 'a request of a worker')
    } catch (error) {
      return failCall(call, status.INVALID_ARGUMENT, messageOf(error))
    }
    const session = this.#sessionOf(request.session)
    if (session === undefined) return failCall(call, status.NOT_FOUND, 'no such session')
    const run = async (): Promise<void> => action(session, request)
    run().catch((error: unknown) => {
      // The disk of this process is no fault of the worker, which may try again; and the paths on it are not its business.
      if (error instanceof DataError) failCall(call, status.UNAVAILABLE, 'an image of the run cannot be read there')
      else failCall(call, status.FAILED_PRECONDITION, messageOf(error))
      if (error instanceof ProtocolError) session.evict(messageOf(error))
    })
  }
}
