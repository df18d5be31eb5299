import type { ServerReadableStream } from '@grpc/grpc-js'
import type { z } from 'zod'
import { messageOf } from '../../shared/kit/errors.ts'
import { checked } from '../../shared/wire/messages.ts'

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
