import { status, type ClientReadableStream, type ServiceError } from '@grpc/grpc-js'
import { HerdError, ProtocolError, RunError } from '../../shared/kit/errors.ts'
import { briefSchema, type RunBrief } from '../../live/view.ts'
import type { Access } from '../../shared/wire/client_access.ts'
import { openChannel, reasonOf } from '../../shared/wire/channel.ts'
import { briefMessageSchema, checked, checkedJson } from '../../shared/wire/messages.ts'

interface Calls {
  watch(request: { intervalMs: number }): ClientReadableStream<unknown>
}

/** Longest time to wait for an answer: a coordinator answers at once, anything slower is none, or hangs. */
const ANSWER_MS = 10_000

/** Error for a connection that broke or could not be made; a later attempt may succeed. */
export class ConnectionLost extends RunError {}

/**
 * Yields briefs of a run, one every `intervalMs`, until the coordinator ends the call or it breaks.
 * @param signal ends the call in order
 * @throws ConnectionLost if the call breaks, or is not answered in time; RunError if the coordinator does not let this program watch;
 *   ProtocolError if its answers are no briefs, or its version cannot be watched.
 */
export async function* watchRun(address: string, access: Access, intervalMs: number, signal: AbortSignal): AsyncGenerator<RunBrief> {
  const channel = openChannel<Calls>(address, access, 'watch', 'herd-top')
  const call = channel.watch({ intervalMs })
  let silent = false
  const answer = setTimeout(() => {
    silent = true
    call.cancel()
  }, ANSWER_MS)
  call.once('metadata', () => clearTimeout(answer))
  const cancel = (): void => call.cancel()
  signal.addEventListener('abort', cancel)
  // Errors after the last read reach this listener only.
  call.on('error', () => undefined)
  try {
    for await (const raw of call as AsyncIterable<unknown>) {
      clearTimeout(answer)
      yield checkedJson(briefSchema, checked(briefMessageSchema, raw, 'a brief of the coordinator').json, 'a brief of the coordinator')
    }
  } catch (error) {
    if (signal.aborted) return
    if (silent) throw new ConnectionLost(`what listens there does not answer as a coordinator does within ${ANSWER_MS / 1000} s`)
    throw error instanceof HerdError ? error : whatItMeans(error as ServiceError, access)
  } finally {
    clearTimeout(answer)
    signal.removeEventListener('abort', cancel)
    call.cancel()
    channel.close()
  }
}

function whatItMeans(error: ServiceError, access: Access): RunError {
  const reason = reasonOf(error, access)
  switch (error.code) {
    case status.UNAUTHENTICATED:
    case status.PERMISSION_DENIED:
    case status.RESOURCE_EXHAUSTED:
      return new RunError(reason)
    case status.UNIMPLEMENTED:
      return new ProtocolError('the coordinator is of a version of Herd that cannot be watched')
    default:
      return new ConnectionLost(reason)
  }
}
