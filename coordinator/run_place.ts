import { deferred } from '../shared/kit/async.ts'
import { isRunFolder, RunFolder } from '../shared/run_folder/run_folder.ts'
import { lockRun, TakenOverError } from '../shared/run_folder/run_lock.ts'
import type { HeldLock } from '../shared/kit/lock.ts'
import type { Log } from '../shared/kit/log.ts'
import type { CoordinatorOptions } from './options.ts'

const now = (): Date => new Date()

/**
 * The folder of a run, which this process alone writes into. The folder of a run that goes on is taken before anything of it is read; that of a new run
 * is made once everything else has proved right.
 */
export class RunPlace {
  /** The options, with --resume auto decided: `latest`, or undefined. */
  readonly options: CoordinatorOptions
  readonly #log: Pick<Log, 'info'>
  readonly #takenOver = deferred<never>()
  #existing: RunFolder | undefined
  #lock: HeldLock | undefined
  #isOurs = true

  private constructor(options: CoordinatorOptions, log: Pick<Log, 'info'>) {
    this.options = options
    this.#log = log
    this.#takenOver.promise.catch(() => undefined)
  }

  /** False once another process is known to have taken the folder over. */
  get isOurs(): boolean {
    return this.#isOurs
  }

  /** Rejects with a TakenOverError when another process is found to have taken the folder over. */
  get takenOver(): Promise<never> {
    return this.#takenOver.promise
  }

  /**
   * Takes the run in --out, if --resume asks for it and there is one.
   * @throws UsageError if `--resume latest` names a folder without a run; RunError if another process has the folder
   */
  static async claim(asked: CoordinatorOptions, log: Pick<Log, 'info'>): Promise<RunPlace> {
    const { resume, out = '' } = asked
    const goesOn = resume === 'latest' || (resume === 'auto' && (await isRunFolder(out)))
    if (!goesOn) return new RunPlace(resume === 'auto' ? { ...asked, resume: undefined } : asked, log)
    const folder = await RunFolder.open(out, now)
    const lock = await lockRun(folder.path, { onWait: (message) => log.info(message) })
    // Whoever died before the first checkpoint has left nothing to go on from: the run begins anew in the same folder.
    const place = new RunPlace({ ...asked, resume: resume === 'auto' && !(await folder.checkpoints.hasAny()) ? undefined : 'latest' }, log)
    place.#existing = folder
    place.#lock = lock
    return place
  }

  /** Returns the folder, and makes that of a new run. @throws UsageError if --out has a run already; RunError if it cannot be made, or another process has it */
  async folder(): Promise<RunFolder> {
    if (this.#existing !== undefined) return this.#existing
    const folder = await RunFolder.create(this.options.out, now)
    this.#lock = await lockRun(folder.path, { onWait: (message) => this.#log.info(message) })
    return folder
  }

  /** @throws TakenOverError if another process has taken the folder over, because it took this one for dead */
  async requireOurs(): Promise<void> {
    if ((await this.#lock?.isOurs()) !== false) return
    const error = new TakenOverError('another process has taken over the folder of this run, since this one did not show for a minute that it is alive. The run goes on there.')
    this.#isOurs = false
    this.#takenOver.reject(error)
    throw error
  }

  release(): Promise<void> {
    return this.#lock?.release() ?? Promise.resolve()
  }
}
