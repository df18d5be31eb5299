import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { RunError } from '../../shared/kit/errors.ts'

/**
 * A process that measures one round for each line on its standard input. It prints a line of facts when it is ready, then a line
 * with the result of each round, all as JSON.
 */
export class RoundProcess {
  readonly #child: ChildProcess
  readonly #lines: Interface
  readonly #what: string
  #said = ''

  constructor(command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    this.#what = path.basename(args.find((arg) => /\.(py|js|mjs)$/.test(arg)) ?? command)
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...environment } })
    this.#child.on('error', (error) => (this.#said += error.message))
    this.#child.stdin?.on('error', () => undefined)
    this.#child.stderr?.on('data', (data: Buffer) => (this.#said = (this.#said + data.toString()).slice(-4000)))
    if (this.#child.stdout === null) throw new Error('a child with a pipe has one')
    this.#lines = createInterface(this.#child.stdout)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Waits for the next line that the process prints. @throws RunError with its error output if it ends before. */
  async next(): Promise<unknown> {
    // The abort removes the listener of the event that has not happened.
    const over = new AbortController()
    const told = once(this.#lines, 'line', over)
    const ended = once(this.#lines, 'close', over).then(() => undefined)
    for (const either of [told, ended]) either.catch(() => undefined)
    const line = (await Promise.race([told, ended])) as [string] | undefined
    over.abort()
    if (line === undefined) throw new RunError(`${this.#what} ended before it had measured anything; it said:\n${this.#said.trim()}`)
    return JSON.parse(line[0])
  }

  /** Begins a round, whose result `next` waits for. */
  begin(): void {
    this.#child.stdin?.write('\n')
  }

  async round(): Promise<unknown> {
    this.begin()
    return this.next()
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.stdin?.end()
    const patience = setTimeout(() => this.#child.kill('SIGKILL'), 5000)
    await exited
    clearTimeout(patience)
  }
}
