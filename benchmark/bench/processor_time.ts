import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** Processor time that a process has used so far. */
export const processorTimeSchema = z.object({
  /** Processor time of all its threads, in seconds. */
  cpuSeconds: z.number(),
  /** Processor time of the one thread that runs JavaScript, in seconds: it does all of a program's own work, which more cores do not make shorter. */
  threadSeconds: z.number(),
})
export type ProcessorTime = z.infer<typeof processorTimeSchema>

/** Processor time of this process. On systems that do not report it per thread (as Linux does in /proc), all of it is attributed to the one thread. */
export function processorTime(): ProcessorTime {
  const { user, system } = process.cpuUsage()
  const cpuSeconds = (user + system) / 1e6
  return { cpuSeconds, threadSeconds: mainThreadSeconds() ?? cpuSeconds }
}

export function sum(times: readonly ProcessorTime[]): ProcessorTime {
  return { cpuSeconds: times.reduce((all, { cpuSeconds }) => all + cpuSeconds, 0), threadSeconds: times.reduce((all, { threadSeconds }) => all + threadSeconds, 0) }
}

/** Processor time between two readings. @param divisor e.g. the number of steps, for the time of one step */
export function between(before: ProcessorTime, after: ProcessorTime, divisor: number): ProcessorTime {
  return { cpuSeconds: (after.cpuSeconds - before.cpuSeconds) / divisor, threadSeconds: (after.threadSeconds - before.threadSeconds) / divisor }
}

function mainThreadSeconds(): number | undefined {
  try {
    // The first field is the thread's time on a processor, in nanoseconds.
    const [nanoseconds] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')
    return Number(nanoseconds) / 1e9
  } catch {
    return undefined
  }
}
