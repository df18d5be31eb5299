import { Command } from 'commander'
import { addOptions, givenOptions, readOptions } from '../shared/command/options.ts'
import { createLog } from '../shared/log.ts'
import { serveMetricsIfAsked } from '../shared/metrics_server.ts'
import { onStopSignal } from '../shared/stop_signals.ts'
import { readAccess } from './access.ts'
import type { Cluster } from './cluster.ts'
import { createConsole } from './console.ts'
import { CoordinatorMetrics } from './metrics.ts'
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
  const command = new Command('coordinator')
    .description('Trains an image classifier on a cluster: shards the images over workers, all-reduces their gradients, applies Adam.')
    .addHelpText('after', examples)
    .exitOverride()
  addOptions(command, coordinatorOptions)
  command.parse(argv, { from: 'user' })
  const options = readOptions(command, coordinatorOptions)
  checkOptions(options)

  const { access, warning } = await readAccess(options, process.env, new Date())

  const log = createLog(options)
  if (warning !== undefined) log.warn(warning)
  let cluster: Cluster | undefined
  const metrics = new CoordinatorMetrics(() => cluster?.status)
  const server = await serveMetricsIfAsked(metrics.registry, options, log)

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
      console: createConsole(process.stdout, log, options.quiet),
      observe: metrics.observe,
      onCluster: (made) => (cluster = made),
      stop,
      access,
    })
  } finally {
    removeSignals()
    await server?.close()
  }
  return exitCode
}
