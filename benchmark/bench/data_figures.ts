import { z } from 'zod'

/** What data_main.ts measures, each in a process of its own, since its memory is measured; `draw` and `check` prepare `start`, `writeCache` prepares `readCache`. */
export const dataWorks = ['draw', 'check', 'start', 'writeCache', 'readCache', 'manifest'] as const
export type DataWork = (typeof dataWorks)[number]

/** Returns the number of classes of a data set of so many made-up images: those of ImageNet, or so many that none is left without images to test on. */
export function classesOf(images: number): number {
  return Math.min(1000, Math.max(2, Math.floor(images / 500)))
}

/** Figures of one measurement. */
export const dataFiguresSchema = z.object({
  seconds: z.number(),
  /** Processor time of all threads. */
  processorSeconds: z.number(),
  /** Most resident memory of the process. */
  residentMib: z.number(),
  /** Longest time for which timers, signals and sockets had to wait. */
  longestPauseMs: z.number(),
})
export type DataFigures = z.infer<typeof dataFiguresSchema>
