import type { ServerReadableStream } from '@grpc/grpc-js'
import type { z } from 'zod'
import { messageOf } from '../../shared/kit/errors.ts'
import { checked } from '../../shared/wire/messages.ts'

/**
 * Passes the chunks of a stream to `take`, until the stream ends or a chunk breaks the protocol; later chunks are ignored.
 * @param what name of a chunk in error messages
 * @param take throws an error if the chunk breaks the protocol
 * @param answer called once at the end, with a description of the breach if there was one
 */
export function takeChunks<T>(call: ServerReadableStream<unknown, object>, schema: z.ZodType<T>, what: string, take: (chunk: T) => void, answer: (breach: string | undefined) => void): void {
  let over = false
  const finish = (breach: string | undefined): void => {
    if (over) return
    over = true
    answer(breach)
  }
  call.on('data', (raw: unknown) => {
    if (over) return
    try {
      take(checked(schema, raw, what))
    } catch (error) {
      finish(messageOf(error))
    }
  })
  call.on('error', () => undefined)
  call.on('end', () => finish(undefined))
}
