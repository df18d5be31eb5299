import { computePid, type ChaosCluster, type Member } from './cluster.ts'
import type { InjectedFault, PlannedFault, WorkerFault } from './faults.ts'

/**
 * Injects planned faults one after the other until all have been injected or the run ends. A fault begins when its time has
 * come and there is a worker that is well; the next one may begin while it still lasts.
 * @returns the faults that were injected, in the order in which they began
 */
export async function inject(cluster: ChaosCluster, plan: Iterable<PlannedFault>): Promise<InjectedFault[]> {
  const injected: InjectedFault[] = []
  const going: Promise<void>[] = []
  for (const fault of plan) {
    const { epoch } = fault.after
    if (epoch !== undefined && !(await cluster.waits(() => cluster.epoch >= epoch))) break
    const due = performance.now() + fault.after.seconds * 1000
    if (!(await cluster.waits(() => performance.now() >= due))) break
    if (!(await cluster.waits(() => !cluster.held))) break
    if (fault.kind === 'killCoordinator') {
      const record = await killCoordinator(cluster, fault.alone ?? false)
      if (record !== undefined) injected.push(record)
      continue
    }
    if (!(await cluster.waits(() => !cluster.held && cluster.well.length > 0))) break
    const { well } = cluster
    const member = well[Math.floor(fault.victim * well.length)]
    const record: InjectedFault = { kind: fault.kind, victim: member.name, at: Date.now(), until: Number.POSITIVE_INFINITY }
    injected.push(record)
    going.push(disturb(cluster, member, fault.kind, fault.seconds).then(() => void (record.until = Date.now())))
  }
  await Promise.all(going)
  return injected
}

/** Kills the coordinator and starts it again. @returns undefined if the run ended first */
async function killCoordinator(cluster: ChaosCluster, alone: boolean): Promise<InjectedFault | undefined> {
  cluster.held = alone
  if (alone && !(await cluster.waits(() => cluster.well.length === cluster.members.length))) return undefined
  const at = Date.now()
  await cluster.killCoordinator()
  const until = Date.now()
  if (alone) await cluster.waits(() => cluster.goesOn)
  cluster.held = false
  return { kind: 'killCoordinator', victim: 'coordinator', at, until }
}

/** Does one fault to a worker, and undoes it. */
async function disturb(cluster: ChaosCluster, member: Member, kind: WorkerFault, seconds: number): Promise<void> {
  const lasts = async (): Promise<void> => {
    const end = performance.now() + seconds * 1000
    await cluster.waits(() => performance.now() >= end)
  }
  const { program, link } = member
  member.disturbed = true
  switch (kind) {
    case 'kill':
    case 'leave':
      await program.stop(kind === 'kill' ? 'SIGKILL' : 'SIGTERM')
      await lasts()
      cluster.restartWorker(member)
      break
    case 'hang':
      program.child.kill('SIGSTOP')
      await lasts()
      program.child.kill('SIGCONT')
      break
    case 'hangCompute': {
      const pid = await computePid(program)
      if (pid !== undefined) signalIfThere(pid, 'SIGSTOP')
      await lasts()
      if (pid !== undefined) signalIfThere(pid, 'SIGCONT')
      break
    }
    case 'cut':
      link.cut()
      await lasts()
      link.heal()
      break
    case 'partition':
      link.silence()
      await lasts()
      link.heal()
      break
  }
  member.disturbed = false
}

/** Sends a signal to a compute process, which may have ended with its session meanwhile. */
function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
