import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { childrenOf } from '../../benchmark/bench/child_processes.ts'
import { RunError } from '../../shared/kit/errors.ts'
import { addressOf, Program, type Ended } from '../support/processes.ts'
import { FaultyLink } from './link.ts'

export interface ClusterOptions {
  /** Arguments of the coordinator, without --listen and --resume. */
  coordinator: readonly string[]
  data: string
  workers: number
  environment: Record<string, string>
}

/** A worker of the cluster, with its own link to the coordinator. Its process changes when it is started again. */
export interface Member {
  name: string
  link: FaultyLink
  program: Program
  /** True while a fault is being done to it. */
  disturbed: boolean
}

const POLL_MS = 25

/** A coordinator and its workers as processes of their own, on loopback. */
export class ChaosCluster {
  readonly members: Member[] = []
  /** True while no further fault may begin, since one that must be alone is going on. */
  held = false
  readonly #options: ClusterOptions
  readonly #address: string
  readonly #said: string[] = []
  readonly #unasked: string[] = []
  #coordinator: Program
  #restarting: Promise<unknown> | undefined
  #epoch = 0
  #over = false

  private constructor(options: ClusterOptions, coordinator: Program, address: string) {
    this.#options = options
    this.#coordinator = coordinator
    this.#address = address
  }

  /** Starts the coordinator, which waits for all workers, and the workers. */
  static async start(options: ClusterOptions): Promise<ChaosCluster> {
    const coordinator = new Program('coordinator', [...options.coordinator, '--workers', String(options.workers), '--listen', '127.0.0.1:0'], options.environment)
    const address = await addressOf(coordinator)
    const cluster = new ChaosCluster(options, coordinator, address)
    for (let number = 1; number <= options.workers; number++) {
      const link = await FaultyLink.open(Number(address.split(':').at(-1)))
      const name = `worker-${number}`
      cluster.members.push({ name, link, program: cluster.#startWorker(name, link), disturbed: false })
    }
    return cluster
  }

  /** True if the run is over: it has ended by itself, or failed. */
  get over(): boolean {
    return this.#over
  }

  /** Workers that are members now, and to which no fault is being done. */
  get well(): Member[] {
    return this.members.filter(({ disturbed, program }) => !disturbed && running(program) && isMember(program))
  }

  /** The last epoch that is complete. */
  get epoch(): number {
    const lines = [...this.#coordinator.stdout.matchAll(/^epoch +(\d+)\//gm)]
    this.#epoch = Math.max(this.#epoch, Number(lines.at(-1)?.[1] ?? 0))
    return this.#epoch
  }

  /** Output of all programs, for finding the cause of a failure. */
  get log(): string {
    return [...this.#said, describe('coordinator', this.#coordinator), ...this.members.map(({ name, program }) => describe(name, program))].join('\n')
  }

  /** Waits until the condition is true, or the run is over. @returns true if the run still goes on */
  async waits(condition: () => boolean): Promise<boolean> {
    while (!this.#over && !condition()) await sleep(POLL_MS)
    return !this.#over
  }

  /** True if the present coordinator process has completed an epoch. */
  get goesOn(): boolean {
    return /^epoch /m.test(this.#coordinator.stdout)
  }

  /** HOST:PORT of the coordinator. */
  get address(): string {
    return this.#address
  }

  /** Waits for a moment. */
  pause(): Promise<void> {
    return sleep(POLL_MS)
  }

  /** Keeps what a program has said for the log. */
  note(name: string, program: Program): void {
    this.#said.push(describe(name, program))
  }

  restartWorker(member: Member): void {
    this.note(member.name, member.program)
    if (!this.#over) member.program = this.#startWorker(member.name, member.link)
  }

  /** Kills the coordinator, and starts it again on the same port; it resumes the run as soon as one worker has joined. */
  async killCoordinator(): Promise<void> {
    const killed = this.#coordinator
    if (!running(killed)) return
    this.#restarting = killed.stop('SIGKILL').then(() => {
      this.note('coordinator', killed)
      this.#coordinator = new Program('coordinator', [...this.#options.coordinator, '--workers', '1', '--listen', this.#address, '--resume', 'latest'], this.#options.environment)
    })
    await this.#restarting
  }

  /**
   * Waits until the run has ended, however often the coordinator was started again meanwhile.
   * @throws RunError if the coordinator failed, or a worker ended by itself.
   */
  async ended(): Promise<void> {
    let ended: Ended
    let waitedFor: Program
    do {
      await this.#restarting
      waitedFor = this.#coordinator
      ended = await waitedFor.ended
      // An injected death has set #restarting by now.
      await this.#restarting
    } while (waitedFor !== this.#coordinator)
    this.#over = true
    if (ended.code !== 0) throw new RunError(`the coordinator ended with ${ended.signal ?? `exit code ${ended.code}`}:\n${tail(ended.stderr)}`)
    if (this.#unasked.length > 0) throw new RunError(this.#unasked.join('\n'))
  }

  /** Ends all programs that still run: workers that were away when the run ended do not know that it has. */
  async close(): Promise<void> {
    this.#over = true
    await this.#restarting
    const programs = [this.#coordinator, ...this.members.map(({ program }) => program)]
    await Promise.all(programs.map((program) => (running(program) ? program.stop('SIGKILL') : program.ended)))
    await Promise.all(this.members.map(({ link }) => link.close()))
  }

  #startWorker(name: string, link: FaultyLink): Program {
    const program = new Program('worker', ['--coordinator', link.address, '--data', this.#options.data, '--name', name], this.#options.environment)
    void program.ended.then(({ code, signal, stderr }) => {
      // 0: the run has finished. 143 and SIGKILL: a fault, or `close`.
      if (code !== 0 && code !== 143 && signal !== 'SIGKILL') this.#unasked.push(`${name} ended by itself with ${signal ?? `exit code ${code}`}:\n${tail(stderr)}`)
    })
    return program
  }
}

function running(program: Program): boolean {
  return program.child.exitCode === null && program.child.signalCode === null
}

/** True if a worker is a member, according to the last message about it that the worker has printed. */
function isMember({ stderr }: Program): boolean {
  return /: joined (?![^]*joining again)/.test(stderr)
}

function tail(text: string): string {
  return text.trim().split('\n').slice(-8).join('\n')
}

function describe(name: string, { stdout, stderr }: Program): string {
  return [...stdout.split('\n'), ...stderr.split('\n')].filter((line) => line !== '').map((line) => `${name}: ${line}`).join('\n')
}

/** Process id of a worker's compute process; undefined if there is none, or the system does not tell (Linux does). */
export async function computePid(worker: Program): Promise<number | undefined> {
  for (const child of await childrenOf(worker.child.pid)) {
    const command = await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '')
    if (command.includes('programs/compute.js')) return child
  }
  return undefined
}
