import { z } from 'zod'
import { compressions } from '../compress/format.ts'
import { messageOf } from '../kit/errors.ts'
import { layoutOf } from '../model/layout.ts'
import { optimizerSchema } from '../optim/optimizers.ts'
import { networkSchema, type Network } from '../model/network.ts'

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

/** What a worker must know of a run to compute its part of it: sent in Welcome. */
export const runDescriptionSchema = z.object({
  /** What people call the run: the name of its folder. */
  name: z.string().min(1).max(256),
  network: networkSchema.superRefine((network, context) => {
    const problem = problemOf(network)
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
  }),
  engine: z.enum(['native', 'wasm']),
  precision: z.enum(['f32', 'bf16']),
  threads: z.int().min(1).max(1024),
  seed: z.int().min(0).max(4294967295),
  batch: z.int().min(1).max(65536),
  lanes: z.int().min(1).max(4096),
  datasetDigest: z.string().regex(/^[0-9a-f]{64}$/),
  /** How gradients and weights travel: it decides the result, too. */
  compress: z.enum(compressions),
  compressWeights: z.enum(compressions),
  /** What steps the weights, and with which options. */
  optimizer: optimizerSchema,
  /** Norm that gradients are clipped to; null: they are not. */
  clip: z.number().positive().finite().nullable(),
  /** Whether workers tell what their time went to. */
  trace: z.boolean(),
})
export type RunDescription = z.infer<typeof runDescriptionSchema>
