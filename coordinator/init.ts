import { basename } from 'node:path'
import { takeWeights } from '../shared/checkpoint/initial_weights.ts'
import { readWeightsFile } from '../shared/checkpoint/weights_file.ts'
import { CheckpointError, UsageError } from '../shared/kit/errors.ts'
import { initialisations, initialParameters, initSchema, type AskedInit, type Init } from '../shared/model/initial.ts'
import { layoutOf } from '../shared/model/layout.ts'
import type { Network } from '../shared/model/network.ts'

/** The weights with which a run begins. */
export interface Beginning {
  /** The same, as the recipe keeps it. */
  init: Init
  parameters: Float32Array
  /** What was taken from a file and what was not, in sentences; none where nothing was. */
  notices: readonly string[]
}

/**
 * Makes the weights with which a run begins: drawn, and then taken from a file where one is asked for.
 * @param asked a kind of drawing, the path of a file, or what a recipe keeps of a file: its name, in the current folder, and its hash
 * @param network with nothing frozen: its layout has all parameters
 * @throws UsageError if the file cannot be read, is not the one that the recipe means, or has nothing that fits
 */
export async function beginningOf(asked: AskedInit, seed: number, network: Network): Promise<Beginning> {
  const layout = layoutOf(network)
  const drawn = initSchema.safeParse(asked)
  if (drawn.success && typeof drawn.data === 'string') return { init: drawn.data, parameters: initialParameters(layout, seed, drawn.data), notices: [] }

  const path = typeof asked === 'string' ? asked : asked.file
  const { tensors, sha256 } = await readWeightsFile(path).catch((error: unknown) => {
    if (!(error instanceof CheckpointError)) throw error
    throw new UsageError(`--init ${path}: expected one of ${initialisations.join(', ')}, or a safetensors file: ${error.message} "herd weights get" obtains one, and "herd weights convert" makes one of a PyTorch file.`, { cause: error })
  })
  if (typeof asked === 'object' && asked.sha256 !== sha256) throw new UsageError(`--init ${path}: the recipe means the file of this name with sha256 ${asked.sha256}, but this one has ${sha256}.`)
  const init: Init = { file: basename(path), sha256 }
  const parameters = initialParameters(layout, seed, init)
  const { sentences } = takeWeights(tensors, network, layout, parameters, path)
  return { init, parameters, notices: sentences }
}
