import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf, RunError } from '../kit/errors.ts'
import { isHeld, tryLock, type HeldLock, type LockTiming } from '../kit/lock.ts'

/** Another process has taken over the run's folder: nothing may be written into it any more. */
export class TakenOverError extends RunError {}

/** Name of the file in a run's folder by which one process has it. */
export const RUN_LOCK = 'run.lock'

export interface RunLockParts {
  /** Receives one message if it takes a minute to find out whether the process that has the folder is alive. */
  onWait: (message: string) => void
  timing?: LockTiming
}

/**
 * Makes this process the only one that writes into a run's folder. A process that has it and is dead loses it: on this machine at once, on another
 * one when it has not shown for a minute that it is alive.
 * @throws RunError if another process has the folder, or the lock's file cannot be written
 */
export async function lockRun(folder: string, { onWait, timing }: RunLockParts): Promise<HeldLock> {
  const file = path.join(folder, RUN_LOCK)
  let touchedAt: number | undefined
  for (;;) {
    const lock = await tryLock(file, timing).catch((error: unknown) => {
      throw new RunError(`${file} cannot be written: ${messageOf(error)}. A run needs a folder that it can write into.`, { cause: error })
    })
    if (isHeld(lock)) return lock
    if (lock.isAlive || (touchedAt !== undefined && lock.touchedAt > touchedAt)) {
      throw new RunError(`${folder} is the folder of a run that goes on: ${lock.name} writes into it. Stop that one first, or give another --out.`)
    }
    if (touchedAt === undefined) onWait(`${lock.name} has the run's folder: waiting to see whether it is alive, for a minute at most.`)
    touchedAt ??= lock.touchedAt
    await sleep(timing?.pollMilliseconds ?? 1000)
  }
}
