import { z } from 'zod'
import { normalisationProblem } from '../data/transforms/transforms.ts'
import { auditedStepsSchema } from '../lanes/audited_steps.ts'
import { messageOf } from '../kit/errors.ts'
import { wholeLayoutOf } from '../model/layout.ts'
import { networkSchema, type Network } from '../model/network.ts'
import { recipeShape } from '../recipe/table.ts'

/** Limit of a network's parameters, 1 GiB of weights: a worker has room for several copies. */
const MAX_PARAMETERS = 2 ** 28

/** Says why a worker could not use a network at all; undefined if it could. */
function problemOf(network: Network): string | undefined {
  try {
    const { size } = wholeLayoutOf(network)
    return size <= MAX_PARAMETERS ? undefined : `has ${size} parameters, where ${MAX_PARAMETERS} may be`
  } catch (error) {
    return messageOf(error)
  }
}

/** Schema of what workers and reducers must know of a run: its recipe, and what follows from it and the data set. */
export const runDescriptionSchema = z.object({
  ...recipeShape,
  /** Name of the run for people: that of its folder. */
  name: z.string().min(1).max(256),
  network: networkSchema.superRefine((network, context) => {
    const problem = problemOf(network)
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
  }),
  datasetDigest: z.string().regex(/^[0-9a-f]{64}$/),
  /** True if the run is traced: workers and reducers then report what they spend their time on. */
  trace: z.boolean(),
  /** Steps in which workers tell the digests of their lanes; undefined: in none. */
  audit: auditedStepsSchema.optional(),
}).superRefine(({ network, augmentation, evaluation }, context) => {
  const problem = normalisationProblem({ augmentation, evaluation }, network)
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
})
export type RunDescription = z.infer<typeof runDescriptionSchema>
