import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** Processor time that a process has used so far. */
export const processorTimeSchema = z.object({
  /** Of all its threads, seconds. */
  cpuSeconds: z.number(),
  /** Of the one thread that runs JavaScript, which does all of a program's own work: no number of cores makes that shorter. */
  threadSeconds: z.number(),
})
export type ProcessorTime = z.infer<typeof processorTimeSchema>

/** Of this process. Where the system does not tell it by thread (it is in /proc, on Linux), all of it is taken for the one thread's. */
export function processorTime(): ProcessorTime {
  const { user, system } = process.cpuUsage()
  const cpuSeconds = (user + system) / 1e6
  return { cpuSeconds, threadSeconds: mainThreadSeconds() ?? cpuSeconds }
}

export function sum(times: readonly ProcessorTime[]): ProcessorTime {
  return { cpuSeconds: times.reduce((all, { cpuSeconds }) => all + cpuSeconds, 0), threadSeconds: times.reduce((all, { threadSeconds }) => all + threadSeconds, 0) }
}

/** @param divisor e.g. steps, to get the time of one */
export function between(before: ProcessorTime, after: ProcessorTime, divisor: number): ProcessorTime {
  return { cpuSeconds: (after.cpuSeconds - before.cpuSeconds) / divisor, threadSeconds: (after.threadSeconds - before.threadSeconds) / divisor }
}

function mainThreadSeconds(): number | undefined {
  try {
    // The thread's time on a processor, in nanoseconds, comes first.
    const [nanoseconds] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')
    return Number(nanoseconds) / 1e9
  } catch {
    return undefined
  }
}
