import { z } from 'zod'
import type { Peers } from './peers.ts'

const measureSchema = z.object({
  name: z.string(),
  /** One value for each round. */
  values: z.array(z.number()),
})

/** A part of the report: the measurements of contenders that took turns. */
export const sectionSchema = z.object({
  title: z.string(),
  /** Explanation of what was measured, and how. */
  about: z.string(),
  unit: z.string(),
  /** True if larger values are better. */
  more: z.boolean(),
  /** Name of the contender by whose value of the same round the others' values are divided. */
  baseline: z.string(),
  measures: z.array(measureSchema),
  /** Figures that follow from several measures, round by round. */
  derived: z.array(measureSchema.extend({ unit: z.string() })),
  /** Sentences on what was left out, and why. */
  notes: z.array(z.string()),
})
export type Section = z.infer<typeof sectionSchema>

/** Settings with which every section is measured. */
export interface BenchSettings {
  rounds: number
  imageSize: number
  precisions: readonly ('f32' | 'bf16')[]
  /** PyTorch; undefined if it is not installed, or not to be measured. */
  peers: Peers | undefined
  /** Called with lines that report the progress. */
  log: (line: string) => void
  /** Folder for temporary files, which is removed in the end. */
  folder: string
}

export const WITHOUT_PEERS = 'Without PyTorch: `npm run bench:peers` installs it.'
