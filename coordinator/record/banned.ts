import { Turns } from '../../shared/kit/async.ts'
import { messageOf } from '../../shared/kit/errors.ts'
import { followFile } from '../../shared/kit/follow_file.ts'
import { parseJsonFile } from '../../shared/kit/json.ts'
import type { Log } from '../../shared/kit/log.ts'
import { checked } from '../../shared/run_folder/json_files.ts'
import type { RunFolder } from '../../shared/run_folder/run_folder.ts'
import { bannedSchema, type Banned } from '../../shared/run_folder/schemas.ts'
import { Bans } from '../members/bans.ts'

/** Those who were put out of a run, and the file banned.json that keeps them: the run's operator takes somebody out of it to let them in again. */
export class BannedFile {
  readonly bans: Bans
  readonly #folder: RunFolder
  readonly #log: Pick<Log, 'info' | 'warn'>
  readonly #everyMs: number | undefined
  /** Lists are written in the order of their making, so that the newest one stays. */
  readonly #writing = new Turns()
  #waiting = 0
  #unfollow: (() => void) | undefined

  private constructor(folder: RunFolder, banned: Banned, log: Pick<Log, 'info' | 'warn'>, everyMs: number | undefined) {
    this.#folder = folder
    this.#log = log
    this.#everyMs = everyMs
    this.bans = new Bans(banned, (bans) => this.#keep(bans))
    if (banned.length > 0) this.#follow()
  }

  /** Reads the file of a run's folder, which need not exist. @throws RunError if it is not as expected */
  static async open(folder: RunFolder, log: Pick<Log, 'info' | 'warn'>, everyMs?: number): Promise<BannedFile> {
    return new BannedFile(folder, await folder.readBanned(), log, everyMs)
  }

  /** Waits until what was decided is written, and no longer looks at the file. */
  async close(): Promise<void> {
    this.#unfollow?.()
    await this.#writing.ended()
  }

  #keep(bans: Banned): void {
    this.#waiting++
    void this.#writing.take(() => this.#write(bans)).finally(() => this.#waiting--)
  }

  /** A disk that refuses is no reason to let anybody in again: the list stays in memory. */
  async #write(bans: Banned): Promise<void> {
    try {
      await this.#folder.writeBanned(bans)
      this.#follow()
    } catch (error) {
      this.#log.warn(`${messageOf(error)} Who was put out of the run is kept in memory alone.`)
    }
  }

  #follow(): void {
    const { bannedFile } = this.#folder
    this.#unfollow ??= followFile(bannedFile, {
      // What it holds is what was read or written a moment ago; taking that once more changes nothing.
      text: '', everyMs: this.#everyMs,
      take: (text) => {
        // What is about to be written replaces it anyway.
        if (this.#waiting === 0) this.bans.replace(checked(bannedFile, bannedSchema, parseJsonFile(text)))
      },
      onTrouble: (reason) => this.#log.warn(`${reason} The list as it was before stays in force.`),
    })
  }
}
