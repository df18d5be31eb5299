import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface LockTiming {
  /** Interval at which a living holder touches its lock. */
  refreshMilliseconds: number
  /** Time without a touch after which a lock held from another machine counts as abandoned. */
  staleMilliseconds: number
  pollMilliseconds: number
  /** Pause that leaves a stale lock to another process that is removing it. */
  takeoverMilliseconds: number
}

const TIMING: LockTiming = { refreshMilliseconds: 5_000, staleMilliseconds: 60_000, pollMilliseconds: 200, takeoverMilliseconds: 10 }
const GUARD_STALE_MILLISECONDS = 10_000

/**
 * Runs `work` while no other process that asks for the same lock file runs its own.
 *
 * The lock is a file that only one process can create; it names its holder. A holder on this machine that is dead, or
 * one on another machine (a home folder on a network) that has stopped touching the file, loses the lock.
 * @param onWait called once, if the lock is taken, with the holder's process and machine
 */
export async function withLock<T>(
  path: string,
  onWait: (holder: string) => void,
  work: () => Promise<T>,
  timing: LockTiming = TIMING,
): Promise<T> {
  const token = `${process.pid} ${hostname()} ${randomUUID()}`
  await mkdir(dirname(path), { recursive: true })
  let waiting = false
  while (!(await create(path, token))) {
    const holder = await readLock(path)
    if (holder === undefined) continue
    if (await isStale(path, holder, timing)) {
      await takeAway(path, holder)
      await sleep(timing.takeoverMilliseconds)
      continue
    }
    if (!waiting) onWait(`process ${holder.split(' ')[0]} on ${holder.split(' ')[1]}`)
    waiting = true
    await sleep(timing.pollMilliseconds)
  }
  const refresh = setInterval(() => {
    const now = new Date()
    // The file is gone if somebody removed the cache; the work still ends well.
    utimes(path, now, now).catch(() => undefined)
  }, timing.refreshMilliseconds)
  refresh.unref()
  try {
    return await work()
  } finally {
    clearInterval(refresh)
    if ((await readLock(path)) === token) await rm(path, { force: true })
  }
}

/** Creates the lock with its content in one step, so that no process ever reads an empty one. @returns false if there is a lock already */
async function create(path: string, token: string): Promise<boolean> {
  const prepared = `${path}.${randomUUID()}`
  await writeFile(prepared, token)
  try {
    await link(prepared, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(prepared, { force: true })
  }
}

async function readLock(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function isStale(path: string, holder: string, timing: LockTiming): Promise<boolean> {
  const [pid, host] = holder.split(' ')
  if (host === hostname()) return !isAlive(Number(pid))
  try {
    return Date.now() - (await stat(path)).mtimeMs > timing.staleMilliseconds
  } catch {
    return false
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/**
 * Removes a stale lock. Of several processes that found it stale only one may remove it, and only while it is still the same
 * lock: otherwise a slow process would remove the lock of a quick one that has taken over already.
 */
async function takeAway(path: string, staleHolder: string): Promise<void> {
  const guard = `${path}.takeover`
  try {
    await mkdir(guard)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    // The guard is held for an instant only; an old one is left by a process that died in that instant.
    const status = await stat(guard).catch(() => undefined)
    if (status !== undefined && Date.now() - status.mtimeMs > GUARD_STALE_MILLISECONDS) await rm(guard, { recursive: true, force: true })
    return
  }
  try {
    if ((await readLock(path)) === staleHolder) await rm(path, { force: true })
  } finally {
    await rm(guard, { recursive: true, force: true })
  }
}
