import type { status } from '@grpc/grpc-js'
import { plainText } from '../../shared/kit/fields.ts'

export type CallError = Error & { code: status; details: string }

/** Makes the error with which a call ends. The reason is sent in a header, so it is cut to one line of at most 1000 characters. */
export function callError(code: status, reason: string): CallError {
  const details = plainText(reason, 1000)
  return Object.assign(new Error(details), { code, details })
}

/** Ends a call with a status. grpc-js takes it from an 'error' event; destroying the stream would send nothing. */
export function failCall(call: NodeJS.EventEmitter, code: status, reason: string): void {
  call.emit('error', callError(code, reason))
}
