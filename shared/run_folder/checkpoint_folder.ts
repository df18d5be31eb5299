import { constants } from 'node:fs'
import { copyFile, link, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { makeFolders } from '../kit/folders.ts'
import { syncFolder, temporaryBeside } from '../kit/atomic_file.ts'
import { loadCheckpoint, readPosition, saveCheckpoint, type Checkpoint } from '../checkpoint/checkpoint.ts'
import { CheckpointError, messageOf, NewerCheckpointError, RunError, WriteError } from '../kit/errors.ts'

/** Number of step-….ckpt files that are kept; the epochs' files are kept besides. */
const LAST_KEPT = 3
const CHECKPOINT_FILE = /^(latest|best|step-\d+|epoch-\d+)\.ckpt$/
const STEP_FILE = /^step-(\d{8,})\.ckpt$/

/** A checkpoint that could not be used, with the reason. */
export interface DamagedCheckpoint {
  file: string
  reason: string
}

/**
 * The folder checkpoints/ of a run:
 *
 *   step-00000120.ckpt   the last three that were saved
 *   latest.ckpt          the last one, under a fixed name
 *   epoch-0010.ckpt      epochs' ends that are kept for good
 *   best.ckpt            the end of the epoch with the highest test accuracy
 *
 * One saved state is one file, however many names it has (where the file system has hard links).
 */
export class CheckpointFolder {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  get latest(): string { return join(this.path, 'latest.ckpt') }
  get best(): string { return join(this.path, 'best.ckpt') }
  /** Path of an epoch's checkpoint, e.g. epoch-0010.ckpt. */
  ofEpoch(epoch: number): string { return join(this.path, `epoch-${String(epoch).padStart(4, '0')}.ckpt`) }
  ofStep(step: number): string { return join(this.path, `step-${String(step).padStart(8, '0')}.ckpt`) }

  /**
   * Saves a checkpoint as the latest and, if `keep` is true, also as its epoch's, and if `best` is, as the best. Each name always stands for a whole checkpoint or does not
   * exist. The checkpoint's vectors must not change before the promise settles.
   * @returns size of the file in bytes
   * @throws RunError if the disk refuses; earlier checkpoints are then intact
   */
  async save(checkpoint: Checkpoint, { keep, best = false }: { keep: boolean; best?: boolean }): Promise<number> {
    const { step, epoch } = checkpoint.position
    await makeFolders(this.path).catch((error: unknown) => {
      throw new WriteError(`${this.path} cannot be made: ${messageOf(error)}.`, { cause: error })
    })
    await saveCheckpoint(this.ofStep(step), checkpoint)
    await duplicate(this.ofStep(step), this.latest)
    if (keep) await duplicate(this.ofStep(step), this.ofEpoch(epoch))
    if (best) await duplicate(this.ofStep(step), this.best)
    await this.#forgetAllBut(step)
    return (await stat(this.ofStep(step))).size
  }

  /**
   * Loads the checkpoint with the most steps of all that are sound.
   * @returns the checkpoint, its file, and the damaged ones that were passed over
   * @throws CheckpointError if there is none; the message names what was found instead
   */
  async loadNewest(): Promise<{ file: string; checkpoint: Checkpoint; damaged: DamagedCheckpoint[] }> {
    const names = await this.#names()
    if (names.length === 0) throw new CheckpointError(`${this.path} has no checkpoint: the run ended before its first one. Start it again without --resume, with another --out.`)

    const damaged: DamagedCheckpoint[] = []
    /** Reads from a checkpoint; undefined if the file is damaged. */
    const orDamaged = async <R>(file: string, read: (file: string) => Promise<R>): Promise<R | undefined> => {
      try {
        return await read(file)
      } catch (error) {
        if (!(error instanceof CheckpointError) || error instanceof NewerCheckpointError) throw error
        damaged.push({ file, reason: error.message })
        return undefined
      }
    }
    const candidates: { file: string; step: number }[] = []
    for (const name of names.sort(latestFirst)) {
      const file = join(this.path, name)
      const position = await orDamaged(file, readPosition)
      if (position !== undefined) candidates.push({ file, step: position.step })
    }
    for (const { file } of candidates.sort((a, b) => b.step - a.step)) {
      const checkpoint = await orDamaged(file, loadCheckpoint)
      if (checkpoint !== undefined) return { file, checkpoint, damaged }
    }
    throw new CheckpointError(`none of the ${names.length} checkpoints in ${this.path} can be used. ${damaged[0].reason}\nStart the run again without --resume, with another --out, or restore a checkpoint from a copy.`)
  }

  /** True if there is a checkpoint, sound or not. */
  async hasAny(): Promise<boolean> {
    return (await this.#names()).length > 0
  }

  async #names(): Promise<string[]> {
    return (await readdir(this.path).catch(() => [] as string[])).filter((name) => CHECKPOINT_FILE.test(name))
  }

  /**
   * Removes all step-….ckpt files except the last three up to `step`. Those beyond `step` belong to a future that was given up: they were found
   * damaged, and the run continued from an earlier one.
   */
  async #forgetAllBut(step: number): Promise<void> {
    const steps = (await readdir(this.path)).flatMap((name) => STEP_FILE.exec(name)?.[1] ?? []).map(Number)
    const kept = steps.filter((other) => other <= step).sort((a, b) => b - a).slice(0, LAST_KEPT)
    for (const other of steps) if (!kept.includes(other)) await rm(this.ofStep(other), { force: true })
  }
}

/** Sorts names so that of the checkpoints of one step latest.ckpt is tried, and named, first. */
function latestFirst(a: string, b: string): number {
  return Number(b === 'latest.ckpt') - Number(a === 'latest.ckpt') || (a < b ? -1 : 1)
}

/**
 * Gives a finished file a second name. A hard link shares its bytes, which is safe because checkpoints are replaced, never changed in place;
 * where the file system has no links, the file is copied.
 * @throws RunError if the disk refuses
 */
async function duplicate(from: string, to: string): Promise<void> {
  const temporary = temporaryBeside(to)
  try {
    await rm(temporary, { force: true })
    await link(from, temporary).catch(() => copyDurably(from, temporary))
    await rename(temporary, to)
    // The system call rename does nothing if both names are links to the same file already; the temporary one is then still there.
    await rm(temporary, { force: true })
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw new RunError(`${basename(to)} cannot be written beside ${from}: ${messageOf(error)}.`, { cause: error })
  }
  await syncFolder(resolve(to, '..'))
}

async function copyDurably(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE)
  const handle = await open(to, 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
