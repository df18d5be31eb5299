import { z } from 'zod'
import { UsageError } from '../kit/errors.ts'
import type { Layout } from '../model/layout.ts'
import type { Network } from '../model/network.ts'
import { parametersNamed, patternSchema } from '../model/parameter_patterns.ts'

/** Schema of the learning rate that some parameters have in place of the run's: like that one, the highest which the schedule reaches. */
export const groupRateSchema = z.strictObject({ parameters: patternSchema, rate: z.number().positive().finite() })
export type GroupRate = z.infer<typeof groupRateSchema>

/**
 * Gives parameters the learning rates that a recipe has for them; of several that name a parameter, the last counts. They are factors of the run's rate, so that schedules hold for all alike,
 * and belong to parameters, so that it makes no difference where the vector is cut.
 * @param lr learning rate of the run
 * @throws UsageError if a pattern names no parameter, or frozen ones alone
 */
export function withGroupRates(layout: Layout, network: Network, { lr, lrOf }: { lr: number; lrOf: readonly GroupRate[] }): Layout {
  if (lrOf.length === 0) return layout
  const factors = new Map(lrOf.flatMap(({ parameters, rate }) => {
    const option = `--lr-of ${parameters}=${rate}`
    const named = parametersNamed(parameters, network, option)
    if (named.every(({ frozen }) => frozen)) throw new UsageError(`${option}: these parameters are frozen by --freeze, and have no learning rate.`)
    return named.map(({ name }) => [name, rate / lr] as const)
  }))
  return {
    ...layout,
    parameters: layout.parameters.map((parameter) => {
      const rateFactor = factors.get(parameter.name)
      return rateFactor === undefined ? parameter : { ...parameter, rateFactor }
    }),
  }
}
