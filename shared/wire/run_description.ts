import { z } from 'zod'
import { normalisationProblem } from '../data/transforms/transforms.ts'
import { messageOf } from '../kit/errors.ts'
import { layoutOf } from '../model/layout.ts'
import { networkSchema, type Network } from '../model/network.ts'
import { recipeShape } from '../recipe/table.ts'

/** 1 GiB of weights: a worker has room for them several times over. */
const MAX_PARAMETERS = 2 ** 28

/** Why a worker cannot even begin with a network. */
function problemOf(network: Network): string | undefined {
  try {
    const { size } = layoutOf(network)
    return size <= MAX_PARAMETERS ? undefined : `has ${size} parameters, where ${MAX_PARAMETERS} may be`
  } catch (error) {
    return messageOf(error)
  }
}

/** What workers and reducers must know of a run: its recipe, and what this came to with the data set. */
export const runDescriptionSchema = z.object({
  ...recipeShape,
  /** What people call the run: the name of its folder. */
  name: z.string().min(1).max(256),
  network: networkSchema.superRefine((network, context) => {
    const problem = problemOf(network)
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
  }),
  datasetDigest: z.string().regex(/^[0-9a-f]{64}$/),
  /** Whether workers tell what their time went to. */
  trace: z.boolean(),
}).superRefine(({ network, augmentation, evaluation }, context) => {
  const problem = normalisationProblem({ augmentation, evaluation }, network)
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
})
export type RunDescription = z.infer<typeof runDescriptionSchema>
