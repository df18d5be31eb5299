/** Checkpoints: everything that resuming, predicting and exporting need, in one checksummed file. */
export { parameterDigest, parameterDigestAside } from './digest.ts'
export type { Checkpoint, CheckpointPosition } from './format.ts'
export { loadCheckpoint, readPosition } from './load.ts'
export { requireSameNetwork } from './same_network.ts'
export { optimizerStateOf } from './same_optimizer.ts'
export { saveCheckpoint } from './save.ts'
