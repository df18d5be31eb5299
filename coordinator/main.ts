import { addOptions, givenOptions, readOptions } from '../shared/command/options.ts'
import { createProgram } from '../shared/command/program.ts'
import { createLog } from '../shared/log.ts'
import { checkViewers } from '../shared/live/viewers.ts'
import { onStopSignal } from '../shared/stop_signals.ts'
import { readAccess } from './access.ts'
import { createConsole } from './console.ts'
import { Onlookers } from './onlookers.ts'
import { checkOptions, coordinatorOptions } from './options.ts'
import { startRun, type StopRequest } from './run.ts'

const examples = `
Examples:
  coordinator --data raw-img --local-workers 2            two workers on this machine
  coordinator --data raw-img --single-node                one process, no sockets
  HERD_TOKEN=... coordinator --data raw-img --out runs/first --workers 4 --listen 0.0.0.0:7070
                                                          wait for four workers from other machines
  coordinator --data raw-img --out runs/first --resume latest

Each option can also stand in the environment (HERD_...) or in the file given by --config.
Exit codes: 0 done, 1 the run failed, 2 the command line is wrong, 130/143 stopped by a signal after saving a checkpoint.`

/** @returns the exit code */
export async function main(argv: string[]): Promise<number> {
  const command = createProgram('coordinator')
    .description('Trains an image classifier on a cluster: shards the images over workers, all-reduces their gradients, applies Adam.')
    .addHelpText('after', examples)
  addOptions(command, coordinatorOptions)
  command.parse(argv, { from: 'user' })
  const options = readOptions(command, coordinatorOptions)
  checkOptions(options)

  const { access, warning } = await readAccess(options, process.env, new Date())
  const pageWarning = options.httpPort === undefined ? undefined : checkViewers({ ...access, httpHost: options.httpHost ?? '127.0.0.1', insecure: options.insecure })

  const log = createLog(options)
  for (const each of [warning, pageWarning]) if (each !== undefined) log.warn(each)
  const onlookers = await Onlookers.open(options, access, log)

  const stop: StopRequest = { signal: undefined, onRequest: () => undefined }
  let exitCode = 0
  const removeSignals = onStopSignal((signal, code) => {
    log.info(`${signal}: stopping after this step; once more to stop at once.`)
    exitCode = code
    stop.signal = signal
    stop.onRequest()
  })
  try {
    await startRun(options, {
      given: givenOptions(command, coordinatorOptions),
      log,
      console: createConsole(process.stdout, log, options),
      onlookers,
      stop,
      access,
    })
  } finally {
    removeSignals()
    await onlookers.close()
  }
  return exitCode
}
