import { spawn, type ChildProcess } from 'node:child_process'
import path from 'node:path'
import type { LogFormat } from '../../shared/kit/log_options.ts'
import { NODE_ENVIRONMENT, NODE_OPTIONS, withoutOptions } from '../../shared/kit/node_process.ts'
import type { TlsOptions } from '../../shared/security/tls.ts'
import type { Tokens } from '../../shared/security/token.ts'
import { ROOT } from '../../shared/kit/project.ts'

export interface LocalProcessesOptions {
  program: 'worker' | 'reducer'
  count: number
  /** Returns the arguments of one process, besides those that all have. @param index from 0 */
  argumentsOf: (name: string, index: number) => string[]
  /** HOST:PORT of the coordinator. */
  coordinator: string
  /** Token for the processes. */
  token: Tokens | undefined
  /** Certificate of the coordinator, which the processes use too. */
  tls: TlsOptions
  verbose: boolean
  logFormat: LogFormat
  /** Decides about a process that has ended before the run. @returns milliseconds after which it is started again; undefined if it is not */
  restartAfter: (name: string) => number | undefined
  /** Called when a process has ended before the run; `left` is the number of processes that run, or will again after `restartMs`. */
  onExit: (facts: { name: string; how: string; left: number; restartMs: number | undefined }) => void
}

/** Processes of one program on this machine, started as a user would start them. */
export class LocalProcesses {
  readonly #options: LocalProcessesOptions
  readonly #children = new Set<ChildProcess>()
  /** Timers of the processes that are about to be started again. */
  readonly #restarting = new Set<NodeJS.Timeout>()
  #closing = false

  constructor(options: LocalProcessesOptions) {
    this.#options = options
    for (let index = 0; index < options.count; index++) this.#start(index)
  }

  #start(index: number): void {
    const { program, coordinator, tls, token, logFormat, verbose, argumentsOf } = this.#options
    const name = `local-${index + 1}`
    const child = spawn(
      process.execPath,
      [
        ...NODE_OPTIONS, path.join(ROOT, 'bin', `${program}.mjs`), '--coordinator', coordinator, ...argumentsOf(name, index), ...tlsArguments(tls), ...(token?.handedOn.arguments ?? []),
        '--log-format', logFormat,
        verbose ? '--verbose' : '--quiet',
      ],
      { stdio: ['ignore', 'inherit', 'inherit'], env: { ...withoutOptions(process.env), ...NODE_ENVIRONMENT, ...token?.handedOn.environment }, detached: true },
    )
    this.#children.add(child)
    const ended = (how: string): void => {
      if (this.#children.delete(child) && !this.#closing) this.#ended(name, index, how)
    }
    child.once('error', (error) => ended(`could not be started: ${error.message}`))
    child.once('exit', (code, signal) => ended(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`))
  }

  #ended(name: string, index: number, how: string): void {
    const { restartAfter, onExit } = this.#options
    const restartMs = restartAfter(name)
    if (restartMs !== undefined) {
      const timer = setTimeout(() => {
        this.#restarting.delete(timer)
        this.#start(index)
      }, restartMs)
      this.#restarting.add(timer)
    }
    onExit({ name, how, left: this.#children.size + this.#restarting.size, restartMs })
  }

  /** Process ids, in order of starting. */
  get pids(): number[] {
    return [...this.#children].flatMap((child) => child.pid ?? [])
  }

  /**
   * Waits until all processes have ended (they were told that the run is over), and kills those that take too long.
   * @param signal asks them to end; undefined if they do so by themselves, since the run has finished
   */
  async close(signal?: NodeJS.Signals, patienceMs = 5000): Promise<void> {
    this.#closing = true
    for (const timer of this.#restarting) clearTimeout(timer)
    await Promise.all(
      [...this.#children].map(
        (child) =>
          new Promise<void>((resolve) => {
            const patience = setTimeout(() => child.kill('SIGKILL'), patienceMs)
            const done = (): void => {
              clearTimeout(patience)
              resolve()
            }
            if (child.exitCode !== null || child.signalCode !== null) return done()
            child.once('exit', done)
            if (signal !== undefined) child.kill(signal)
          }),
      ),
    )
  }
}

function tlsArguments({ tlsCert, tlsKey, tlsCa }: TlsOptions): string[] {
  return Object.entries({ '--tls-ca': tlsCa, '--tls-cert': tlsCert, '--tls-key': tlsKey }).flatMap(([option, file]) => (file === undefined ? [] : [option, file]))
}
