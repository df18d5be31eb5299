import type { ServerReadableStream } from '@grpc/grpc-js'
import type { z } from 'zod'
import { messageOf } from '../../shared/kit/errors.ts'
import { checked } from '../../shared/wire/messages.ts'

/** Object streams count messages, of about a chunk each. */
const BYTES_PER_MESSAGE = 1024 * 1024

/** Bytes of chunks that were written to a stream and wait to be sent. */
export function backlogOf(stream: { writableLength: number } | undefined): number {
  return (stream?.writableLength ?? 0) * BYTES_PER_MESSAGE
}

/**
 * Takes the chunks of a stream, until it ends or one of them breaks the protocol; what comes after that is not looked at.
 * @param what a chunk is, for people
 * @param take may throw
 * @param answer is called once, with the breach if there is one
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
