import { status, type ServerDuplexStream } from '@grpc/grpc-js'
import type { z } from 'zod'
import { messageOf } from '../../shared/kit/errors.ts'
import { checked } from '../../shared/wire/messages.ts'
import type { ControlOutlet, Failure, MemberControl } from '../protocol/control.ts'
import { failCall } from './call_status.ts'

const codes: Record<Failure, status> = { cut: status.ABORTED, early: status.FAILED_PRECONDITION, full: status.RESOURCE_EXHAUSTED, version: status.FAILED_PRECONDITION }

/**
 * Serves a membership over a gRPC stream: checks incoming messages and passes them to the member's control.
 * @param what name of a message in errors
 * @param open creates the control
 */
export function serveControl<Up extends { message: string }, Down, C extends MemberControl<Up, Down>>(call: ServerDuplexStream<unknown, Down>, schema: z.ZodType<Up>, what: string, open: (outlet: ControlOutlet<Down>) => C): C {
  const control = open({
    peer: call.getPeer(),
    send: (message) => void call.write(message),
    close: () => void call.end(),
    fail: (why, reason) => failCall(call, codes[why], reason),
  })
  const receive = (raw: unknown): void => {
    if (control.over) return
    try {
      control.receive(checked(schema, raw, what))
    } catch (error) {
      control.cut(messageOf(error))
    }
  }
  call.on('data', receive)
  call.on('cancelled', () => control.onBroken())
  call.on('error', () => control.onBroken())
  call.on('end', () => control.onClosed())
  return control
}
