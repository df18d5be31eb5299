import { spawn, type ChildProcess } from 'node:child_process'
import path from 'node:path'
import { NODE_ENVIRONMENT, NODE_OPTIONS } from '../../shared/kit/node_process.ts'
import { ROOT } from '../../shared/kit/project.ts'

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** One of Herd's programs, started as a user would start it. */
export class Program {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  stdout = ''
  stderr = ''
  readonly #watchers = new Set<() => void>()

  /**
   * Starts the program.
   * @param launcher command that is put in front of the program's own, such as `ip netns exec NAME`
   * @param how.folder working directory, by default that of this process
   * @param how.node path of a Node.js, by default the running one
   * @param how.project folder of another copy of the project
   * @param how.file file of a program that stands in for Herd's own
   */
  constructor(name: 'coordinator' | 'worker' | 'reducer' | 'herd', args: readonly string[], environment: Record<string, string> = {}, launcher: readonly string[] = [], how: { stdin?: 'ignore' | 'pipe'; folder?: string; node?: string; project?: string; file?: string } = {}) {
    const [command, ...rest] = [...launcher, how.node ?? process.execPath, ...NODE_OPTIONS, how.file ?? path.join(how.project ?? ROOT, 'bin', `${name}.mjs`), ...args]
    this.child = spawn(command, rest, {
      stdio: [how.stdin ?? 'ignore', 'pipe', 'pipe'],
      cwd: how.folder,
      env: { ...process.env, ...NODE_ENVIRONMENT, ...environment },
    })
    this.child.stdout?.on('data', (data: Buffer) => this.#take(() => (this.stdout += data.toString())))
    this.child.stderr?.on('data', (data: Buffer) => this.#take(() => (this.stderr += data.toString())))
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        this.#take(() => undefined)
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr })
      })
    })
  }

  /** Waits until the program's output matches. @throws Error with the whole output if the program ends before */
  async said(pattern: RegExp): Promise<RegExpMatchArray> {
    for (;;) {
      const match = (this.stdout + this.stderr).match(pattern)
      if (match !== null) return match
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(`ended without saying ${pattern}:\n${this.stdout}\n${this.stderr}`)
      }
      await new Promise<void>((resolve) => {
        const once = (): void => {
          this.#watchers.delete(once)
          resolve()
        }
        this.#watchers.add(once)
        void this.ended.then(once)
      })
    }
  }

  /** Ends the program if it still runs, and waits for its end. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<Ended> {
    this.child.kill(signal)
    return this.ended
  }

  #take(change: () => void): void {
    change()
    for (const watcher of [...this.#watchers]) watcher()
  }
}

/** Runs a program to its end. */
export function run(name: 'coordinator' | 'worker' | 'herd', args: readonly string[], environment: Record<string, string> = {}): Promise<Ended> {
  return new Program(name, args, environment).ended
}

/**
 * Lets the last worker of a run leave, and then starts another one; the run waits for it, however long a process takes to start.
 * @returns the new worker, when it has joined
 */
export async function replaceLast(coordinator: Program, last: Program, start: () => Program): Promise<Program> {
  const left = await last.stop('SIGTERM')
  if (left.code !== 143) throw new Error(`the worker ended with exit code ${left.code}:\n${left.stderr}`)
  await coordinator.said(/no worker is left/)
  const next = start()
  await coordinator.said(/no worker is left[^]*worker \S+ joined/)
  return next
}

/** Waits until a coordinator listens. @returns its address */
export async function addressOf(coordinator: Program): Promise<string> {
  const [, address] = await coordinator.said(/waiting for workers at (\S+)/)
  return address
}
