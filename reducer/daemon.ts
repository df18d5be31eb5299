import { parseAddress } from '../shared/command/options.ts'
import { RunError } from '../shared/kit/errors.ts'
import { createLog, type Log } from '../shared/kit/log.ts'
import { cautionsOf } from '../shared/security/cautions.ts'
import { followTokens } from '../shared/security/token.ts'
import { isEveryAddress } from '../shared/security/loopback.ts'
import { onStopSignal } from '../shared/kit/stop_signals.ts'
import { clearTokenWarning } from '../shared/wire/client_access.ts'
import { joinWithPatience, NoMembershipError } from '../shared/wire/patience.ts'
import { readAccess } from '../coordinator/port/access.ts'
import { machineSeconds } from '../shared/trace/span.ts'
import { ReducerConnection } from './connection.ts'
import { ReducerMembership, type MembershipResult } from './membership.ts'
import { ReducerServer } from './server.ts'
import type { ReducerOptions } from './options.ts'

/**
 * Runs a reducer process until the run ends or a signal stops it.
 * @returns the exit code: 0, or that of the signal
 * @throws UsageError if the port is not protected; RunError if the address cannot be bound, or the coordinator is lost or refuses the reducer
 */
export async function reduceRange(options: ReducerOptions): Promise<number> {
  const { access, warning } = await readAccess({ ...options, singleNode: false }, process.env, new Date())
  const log = createLog(options)
  for (const each of [warning, clearTokenWarning(access, options.coordinator), ...(await cautionsOf(options, new Date()))]) if (each !== undefined) log.warn(each)

  const { server, port } = await ReducerServer.listen(options.listen, access)
  const host = parseAddress(options.listen)?.host ?? ''
  const address = `${isEveryAddress(host) ? '' : host.includes(':') ? `[${host}]` : host}:${port}`
  const unfollow = followTokens(access.token, log)
  let exitCode = 0
  let membership: ReducerMembership | undefined
  const stop = new AbortController()
  const removeSignals = onStopSignal((signal, code) => {
    log.info(`${signal}: leaving the run.`)
    exitCode = code
    stop.abort()
    membership?.leave()
  })
  try {
    await reduceUntilTheEnd({ ...options, patienceMs: options.patience * 1000 }, log, stop.signal, () => (membership = new ReducerMembership({
      address, port: server, now: machineSeconds,
      connect: (onMessage) => new ReducerConnection(options.coordinator, access, onMessage),
      every: (milliseconds, action) => {
        const timer = setInterval(action, milliseconds)
        return () => clearInterval(timer)
      },
    })))
  } finally {
    removeSignals()
    unfollow()
    await server.close()
  }
  return exitCode
}

/**
 * Joins the coordinator, and joins again after losing it, until a run has finished.
 * @throws RunError if the coordinator is lost and there is no patience, or it cannot be reached in time
 */
async function reduceUntilTheEnd({ coordinator, patienceMs }: { coordinator: string; patienceMs: number }, log: Log, stop: AbortSignal, join: () => ReducerMembership): Promise<void> {
  while (!stop.aborted) {
    const { end } = await joinWithPatience(async (): Promise<MembershipResult> => {
      // The stop may have been requested during the pause before this attempt.
      if (stop.aborted) return { end: { how: 'asked' }, assigned: false }
      const result = await join().run()
      if (result.end.how === 'lost' && !result.assigned) throw new NoMembershipError(result.end.reason)
      return result
    }, { coordinator, patienceMs, log })
    if (end.how === 'finished') return log.info('the run has finished.')
    if (end.how === 'asked') return
    // A reducer with patience waits for the run to be resumed.
    if (patienceMs === 0) {
      if (end.how === 'stopped') return
      throw new RunError(`${end.reason}.`)
    }
    log.warn(`${end.reason}; joining again.`)
  }
}
