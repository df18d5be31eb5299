import { z } from 'zod'
import { adam } from './adam.ts'
import { adamw } from './adamw.ts'
import { lookingAhead } from './lookahead.ts'
import type { Optimizer } from './optimizer.ts'
import { sgd } from './sgd.ts'

/** All optimizers; the first is the default. */
const optimizers = [adam, adamw, sgd] as const

type Schemas<Kinds extends readonly unknown[]> = { -readonly [K in keyof Kinds]: Kinds[K] extends { schema: infer Schema } ? Schema : never }

/** Schema of the options of any optimizer, told apart by `name`. */
export const optimizerSchema = z.discriminatedUnion('name', optimizers.map(({ schema }) => schema) as unknown as Schemas<typeof optimizers>)
export type OptimizerOptions = z.infer<typeof optimizerSchema>

/** Options of the optimizer of a run that names none. */
export const defaultOptimizer: OptimizerOptions = adam.schema.parse({ name: 'adam' })

/** Makes the optimizer that these options name. */
export function optimizerOf(options: OptimizerOptions): Optimizer {
  const kind = optimizers.find(({ schema }) => schema.shape.name.value === options.name)
  if (kind === undefined) throw new Error(`no optimizer is named ${options.name}`)
  const optimizer = kind.of(options)
  return options.lookahead === undefined ? optimizer : lookingAhead(optimizer, options.lookahead)
}
