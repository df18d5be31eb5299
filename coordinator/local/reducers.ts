import { parseAddress } from '../../shared/command/options.ts'
import type { Log } from '../../shared/kit/log.ts'
import type { Access } from '../port/access.ts'
import { LocalProcesses } from './processes.ts'
import type { CoordinatorOptions } from '../options.ts'
import { ReducerLostError, type ReducerHub } from '../exchange/remote/hub.ts'

export type LocalReducersOptions = Pick<CoordinatorOptions, 'reducers' | 'listen' | 'maxWorkers' | 'insecure' | 'verbose' | 'logFormat' | 'tlsCa' | 'tlsCert' | 'tlsKey'>

/** Starts reducers on this machine, on free ports of the host that the coordinator listens on. If one ends before the run, the run fails. */
export function startLocalReducers(hub: ReducerHub, options: LocalReducersOptions, { token, ownToken }: Pick<Access, 'token' | 'ownToken'>, coordinator: string, log: Pick<Log, 'warn'>): LocalProcesses {
  const host = parseAddress(options.listen)?.host ?? '127.0.0.1'
  const listen = `${host.includes(':') ? `[${host}]` : host}:0`
  return new LocalProcesses({
    program: 'reducer', count: options.reducers, coordinator, token: token ?? ownToken, tls: options, verbose: options.verbose, logFormat: options.logFormat,
    // A reducer that has lost its coordinator need not wait for another one: the next coordinator starts its own reducers.
    argumentsOf: () => ['--listen', listen, '--max-workers', String(options.maxWorkers), '--patience', '0', ...(options.insecure ? ['--insecure'] : [])],
    restartAfter: () => undefined,
    onExit: ({ name, how }) => {
      log.warn(`reducer ${name} ${how}.`)
      hub.fail(new ReducerLostError(`reducer ${name} ${how}: its part of the weights since the last checkpoint is lost with it.`))
    },
  })
}
