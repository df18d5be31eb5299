import { loadNative } from '../../shared/engine/native.ts'

/** Prints the device on which TensorFlow computes if it is asked for the first GPU. */
process.stdout.write(loadNative({ threads: 1, gpu: 0 }).device)
