import { setTimeout as sleep } from 'node:timers/promises'
import { checkViewers } from '../live/page_access.ts'
import { readSigner } from '../shared/audit/provenance.ts'
import { createLog, type Log } from '../shared/kit/log.ts'
import { cacheFolder } from '../shared/kit/paths.ts'
import { onStopSignal } from '../shared/kit/stop_signals.ts'
import { cacheCaution, cautionsOf } from '../shared/security/cautions.ts'
import { followTokens } from '../shared/security/token.ts'
import { machineSeconds } from '../shared/trace/span.ts'
import { GoBackError } from './contract/interruptions.ts'
import { Restarts } from './local/restarts.ts'
import { ownTokenOf, readAccess } from './port/access.ts'
import { createConsole } from './watch/console.ts'
import { Onlookers } from './watch/onlookers.ts'
import { workersWanted, type CoordinatorOptions } from './options.ts'
import { startRun, type StopRequest } from './run.ts'

/**
 * Runs a coordinator process: one run, which a signal ends in order.
 * @param given names of the options that the user set
 * @returns the exit code: 0, or that of the signal
 * @throws as `startRun`
 */
export async function coordinate(options: CoordinatorOptions, given: ReadonlySet<string>): Promise<number> {
  const { access: asked, warning } = await readAccess(options, process.env, new Date())
  const access = { ...asked, ownToken: ownTokenOf(asked, options) }
  const pageWarning = options.httpPort === undefined ? undefined : checkViewers({ ...access, httpHost: options.httpHost ?? '127.0.0.1', insecure: options.insecure })

  const sign = options.sign === undefined ? undefined : await readSigner('--sign', options.sign)
  const log = createLog(options)
  for (const each of [warning, pageWarning, ...(await cautionsOf(options, new Date())), await cacheCaution(cacheFolder())]) if (each !== undefined) log.warn(each)
  const console = createConsole(process.stdout, log, options)

  const stop: StopRequest = { signal: undefined, onRequest: () => undefined }
  let exitCode = 0
  const removeSignals = onStopSignal((signal, code) => {
    log.info(`${signal}: stopping in order; once more to stop at once.`)
    exitCode = code
    stop.signal = signal
    stop.onRequest()
  })
  const following = [followTokens(access.token, log), access.deny?.follow(log)]
  const goingBack = new Restarts()
  try {
    let attentiveUntil = 0
    for (let next = options; ;) {
      const onlookers = await Onlookers.open(next, access, log)
      try {
        await startRun(next, { given, log, console, onlookers, stop, access, attentiveUntil, sign })
        return exitCode
      } catch (error) {
        const again = stop.signal === undefined && error instanceof GoBackError ? await goneBack(error, next, goingBack, log) : undefined
        if (again === undefined) throw error
        next = again.options
        attentiveUntil = Math.max(attentiveUntil, again.attentiveUntil)
      } finally {
        await onlookers.close()
      }
    }
  } finally {
    removeSignals()
    for (const end of following) end?.()
  }
}

/**
 * Waits a moment, unless somebody who lied is out, before a run goes back to its last checkpoint.
 * @returns the options with which it goes on, at the same address, and the steps that need attention; undefined if it has gone back too often
 */
async function goneBack(error: GoBackError, asked: CoordinatorOptions, goingBack: Restarts, log: Log): Promise<{ options: CoordinatorOptions; attentiveUntil: number } | undefined> {
  if (error.progressed) goingBack.takesPart('run')
  // Liars are out one after the other, however many there are: no number of them ends the run.
  const { workersLeft } = error
  const waitMs = workersLeft !== undefined ? 0 : goingBack.after('run', machineSeconds())
  if (waitMs === undefined) return undefined
  log.warn(`${error.message.split('\n')[0]} Going back to the last checkpoint${waitMs === 0 ? '' : ` in ${waitMs / 1000} s`}.`)
  await sleep(waitMs)
  // Whoever is out is not waited for.
  const minWorkers = workersLeft === undefined ? asked.minWorkers : Math.min(workersWanted(asked), Math.max(1, workersLeft))
  return { options: { ...asked, resume: 'latest', out: error.folder, listen: error.address, minWorkers }, attentiveUntil: error.attentiveUntil }
}
