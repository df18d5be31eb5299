import { z } from 'zod'
import type { Peers } from './peers.ts'

const measureSchema = z.object({
  name: z.string(),
  /** One a round. */
  values: z.array(z.number()),
})

/** Contenders that took turns. */
export const sectionSchema = z.object({
  title: z.string(),
  /** What was measured, and how. */
  about: z.string(),
  unit: z.string(),
  /** Whether more is better. */
  more: z.boolean(),
  /** The contender whose value of the same round the others' are divided by. */
  baseline: z.string(),
  measures: z.array(measureSchema),
  /** What follows from several measures, by round. */
  derived: z.array(measureSchema.extend({ unit: z.string() })),
  /** What was left out, and why. */
  notes: z.array(z.string()),
})
export type Section = z.infer<typeof sectionSchema>

/** What every section is measured with. */
export interface BenchSettings {
  rounds: number
  imageSize: number
  precisions: readonly ('f32' | 'bf16')[]
  /** Undefined where there is no PyTorch. */
  peers: Peers | undefined
  /** Is told what goes on. */
  log: (line: string) => void
  /** For what is written in between; is removed in the end. */
  folder: string
}

export const WITHOUT_PEERS = 'Without PyTorch: `npm run bench:peers` installs it.'
