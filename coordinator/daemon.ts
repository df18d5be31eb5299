import { checkViewers } from '../live/page_access.ts'
import { createLog } from '../shared/kit/log.ts'
import { onStopSignal } from '../shared/kit/stop_signals.ts'
import { readAccess } from './port/access.ts'
import { createConsole } from './watch/console.ts'
import { Onlookers } from './watch/onlookers.ts'
import type { CoordinatorOptions } from './options.ts'
import { startRun, type StopRequest } from './run.ts'

/**
 * Runs a coordinator process: one run, which a signal ends in order.
 * @param given names of the options that the user set
 * @returns the exit code: 0, or that of the signal
 * @throws as `startRun`
 */
export async function coordinate(options: CoordinatorOptions, given: ReadonlySet<string>): Promise<number> {
  const { access, warning } = await readAccess(options, process.env, new Date())
  const pageWarning = options.httpPort === undefined ? undefined : checkViewers({ ...access, httpHost: options.httpHost ?? '127.0.0.1', insecure: options.insecure })

  const log = createLog(options)
  for (const each of [warning, pageWarning]) if (each !== undefined) log.warn(each)
  const onlookers = await Onlookers.open(options, access, log)

  const stop: StopRequest = { signal: undefined, onRequest: () => undefined }
  let exitCode = 0
  const removeSignals = onStopSignal((signal, code) => {
    log.info(`${signal}: stopping in order; once more to stop at once.`)
    exitCode = code
    stop.signal = signal
    stop.onRequest()
  })
  try {
    await startRun(options, { given, log, console: createConsole(process.stdout, log, options), onlookers, stop, access })
  } finally {
    removeSignals()
    await onlookers.close()
  }
  return exitCode
}
