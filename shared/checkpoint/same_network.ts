import { isDeepStrictEqual } from 'node:util'
import { CheckpointError } from '../kit/errors.ts'
import { thawed } from '../model/frozen.ts'
import type { Network } from '../model/network.ts'
import type { Checkpoint } from './format.ts'

/**
 * Checks that a checkpoint is of this very network, with the same parameters frozen, with the same classes in the same order.
 * @param file the checkpoint's path, for the error.
 * @throws CheckpointError that names the first difference.
 */
export function requireSameNetwork(checkpoint: Checkpoint, network: Network, classes: readonly string[], file: string): void {
  const saved = checkpoint.network
  if (saved.name !== network.name) throw new CheckpointError(`${file} is of network ${saved.name}, not ${network.name}: use --model ${saved.name}, or another checkpoint.`)
  if (saved.imageSize !== network.imageSize) {
    throw new CheckpointError(`${file} is of network ${saved.name} for images of ${saved.imageSize} px, not ${network.imageSize}: use --image-size ${saved.imageSize}, or another checkpoint.`)
  }
  if (!isDeepStrictEqual(checkpoint.classes, [...classes])) {
    throw new CheckpointError(`${file} was trained on other classes: ${classDifference(checkpoint.classes, classes)}. Use the data set it was trained on, or another checkpoint.`)
  }
  if (!isDeepStrictEqual(checkpoint.frozen ?? [], network.frozen ?? [])) throw new CheckpointError(`${file} is of a run that freezes other parameters of network ${saved.name}: use the --freeze that it was trained with, or another checkpoint.`)
  // The networks are compared as JSON, in which an absent field and an undefined one are the same.
  if (!isDeepStrictEqual(JSON.parse(JSON.stringify(saved)), JSON.parse(JSON.stringify(thawed(network))))) {
    throw new CheckpointError(`${file} is of another version of network ${saved.name}, with different layers or normalisation: use the Herd and the options it was trained with, or another checkpoint.`)
  }
}

function classDifference(saved: readonly string[], given: readonly string[]): string {
  const missing = saved.filter((name) => !given.includes(name))
  const added = given.filter((name) => !saved.includes(name))
  const some = (names: string[]): string => names.slice(0, 5).join(', ') + (names.length > 5 ? ` and ${names.length - 5} more` : '')
  if (missing.length === 0 && added.length === 0) return 'the same names in another order'
  return [missing.length > 0 ? `only it has ${some(missing)}` : '', added.length > 0 ? `only the data has ${some(added)}` : ''].filter((part) => part !== '').join('; ')
}
