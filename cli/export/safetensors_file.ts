import type { Checkpoint } from '../../shared/checkpoint/checkpoint.ts'
import { encodeSafetensors } from '../../shared/checkpoint/safetensors.ts'
import { torchNetwork } from '../../shared/checkpoint/torch_weights.ts'
import type { Preprocessing } from './preprocessing.ts'

/** Key of the metadata entry that describes the network. */
export const NETWORK_KEY = 'network'

/**
 * Encodes a safetensors file for PyTorch, as parts to be written one after the other. Its metadata has "format": "pt", as is
 * customary, and "network": JSON of name, imageSize, classes (names in the order of the logits), mean, std (a pixel enters as
 * (value / 255 - mean) / std, channels first) and layers (see TorchLayer); and "preprocessing", the JSON that is beside the file too.
 * @throws UsageError if the network cannot be expressed in PyTorch's order.
 */
export function torchSafetensors(checkpoint: Checkpoint, preprocessing: Preprocessing): Uint8Array[] {
  const { network, classes } = checkpoint
  const { tensors, layers } = torchNetwork(checkpoint)
  const description = { name: network.name, imageSize: network.imageSize, classes, mean: network.mean, std: network.std, layers }
  return encodeSafetensors(tensors, { format: 'pt', [NETWORK_KEY]: JSON.stringify(description), preprocessing: JSON.stringify(preprocessing) })
}
