import { availableParallelism } from 'node:os'
import { flag, whole, type OptionValues } from '../../shared/command/options.ts'

const SEEDS = 2 ** 32

export const simulationOptions = {
  schedules: whole('<count>', 'Schedules to run, of consecutive seeds.', { min: 1, max: SEEDS }, 2000),
  seed: whole('<number>', 'The first seed.', { min: 0, max: SEEDS - 1 }, 1),
  processes: whole('<count>', 'Processes that share the schedules.', { min: 1, max: 256 }, availableParallelism()),
  verbose: flag('Print each schedule, and all that happens in it.'),
} as const

export type SimulationOptions = OptionValues<typeof simulationOptions>
