import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, readlink, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeFolders } from './folders.ts'

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

/** A lock that this process holds. */
export interface HeldLock {
  /** True unless another process has taken the lock over: it believed this one to be dead. */
  isOurs(): Promise<boolean>
  release(): Promise<void>
}

/** The process that has a lock. */
export interface LockHolder {
  /** The process for people, e.g. "process 17 on rack-1". */
  name: string
  /** Time at which the holder last showed that it is alive, in milliseconds since 1970. */
  touchedAt: number
  /** True if it is known to be alive, since its process is one of this machine. */
  isAlive: boolean
}

/**
 * Takes a lock if no process has it, or the one that has it is gone.
 *
 * The lock is a file that only one process can create; it names its holder. A holder on this machine that is dead, or one on another machine (a
 * folder on a network) that has stopped touching the file, loses the lock.
 * @returns the lock, or the process that has it
 * @throws the error of the file system if the file can be neither read nor made
 */
export async function tryLock(path: string, timing: LockTiming = TIMING): Promise<HeldLock | LockHolder> {
  const token = [process.pid, hostname(), randomUUID(), await identityOf('self')].join(' ')
  await makeFolders(dirname(path))
  while (!(await create(path, token))) {
    const holder = await readLock(path)
    if (holder === undefined) continue
    const alive = await isHolderAlive(holder)
    const touchedAt = (await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now()
    const isGone = alive === false || (alive === undefined && Date.now() - touchedAt > timing.staleMilliseconds)
    if (!isGone) return { name: `process ${holder.split(' ')[0]} on ${holder.split(' ')[1]}`, touchedAt, isAlive: alive === true }
    await takeAway(path, holder)
    await sleep(timing.takeoverMilliseconds)
  }
  const refresh = setInterval(() => {
    const now = new Date()
    // The file is gone if somebody removed the folder; whoever asks is told then.
    utimes(path, now, now).catch(() => undefined)
  }, timing.refreshMilliseconds)
  refresh.unref()
  const isOurs = async (): Promise<boolean> => (await readLock(path)) === token
  return {
    isOurs,
    release: async () => {
      clearInterval(refresh)
      if (await isOurs()) await rm(path, { force: true })
    },
  }
}

/** True for a lock that was taken; false for the process that has it. */
export function isHeld(lock: HeldLock | LockHolder): lock is HeldLock {
  return 'release' in lock
}

/**
 * Runs `work` while no other process that asks for the same lock file runs its own (see `tryLock`).
 * @param onWait called once, if the lock is taken, with the holder's process and machine
 */
export async function withLock<T>(path: string, onWait: (holder: string) => void, work: () => Promise<T>, timing: LockTiming = TIMING): Promise<T> {
  for (let waiting = false; ; waiting = true) {
    const lock = await tryLock(path, timing)
    if (isHeld(lock)) return work().finally(() => lock.release())
    if (!waiting) onWait(lock.name)
    await sleep(timing.pollMilliseconds)
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

/** Tells whether the process that a lock names is alive; undefined if it is on another machine, or in a container where it cannot be seen. */
async function isHolderAlive(holder: string): Promise<boolean | undefined> {
  const [pid, host, , namespace, started] = holder.split(' ')
  if (host !== hostname()) return undefined
  const [ownNamespace] = (await identityOf('self')).split(' ')
  if (namespace !== undefined && namespace !== ownNamespace) return undefined
  if (!isProcess(Number(pid))) return false
  // Numbers of processes are given again: in a container that was started anew, soon and to the same programs.
  return started === undefined || (await identityOf(pid)).split(' ')[1] === started
}

/**
 * Tells a process from others that had or will have its number: the number's name space and the time at which the process started, in clock ticks
 * since the machine did. Both are "-" where the system does not tell.
 * @param pid number of the process, or "self"
 */
async function identityOf(pid: string): Promise<string> {
  const namespace = await readlink(`/proc/${pid}/ns/pid`).catch(() => '-')
  // The name of the program, in brackets, may contain anything; the time is the twentieth field behind it.
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return `${namespace} ${status.slice(status.lastIndexOf(')') + 2).split(' ')[19] ?? '-'}`
}

function isProcess(pid: number): boolean {
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
