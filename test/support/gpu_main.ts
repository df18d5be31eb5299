import { loadNative } from '../../shared/engine/native.ts'

/** A process of its own: prints where TensorFlow computes when it is asked for the first GPU. */
process.stdout.write(loadNative({ threads: 1, gpu: 0 }).device)
