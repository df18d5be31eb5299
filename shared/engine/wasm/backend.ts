import { createRequire } from 'node:module'
import { dirname, join, sep } from 'node:path'
import { getKernel, ready, registerKernel, setBackend, unregisterKernel } from '@tensorflow/tfjs-core'
// Node's bundle of tfjs-core leaves the gradients of its operations out; the layers package registers them when it is loaded.
import '@tensorflow/tfjs-layers'
import { setThreadsCount, setWasmPaths, version_wasm } from '@tensorflow/tfjs-backend-wasm'
import { EngineError, messageOf } from '../../kit/errors.ts'
import { convolutionKernels } from './convolution.ts'
import { depthwiseKernels } from './depthwise.ts'
import { oneHotKernel } from './one_hot.ts'
import { poolingKernels } from './pooling.ts'

/** Runs `start` and removes the listeners for unhandled errors that the wasm runtime adds: the program itself decides how such errors end it. */
async function withoutNewListeners<T>(start: () => Promise<T>): Promise<T> {
  const before = { exceptions: process.listeners('uncaughtException'), rejections: process.listeners('unhandledRejection') }
  try {
    return await start()
  } finally {
    for (const listener of process.listeners('uncaughtException')) {
      if (!before.exceptions.includes(listener)) process.off('uncaughtException', listener)
    }
    for (const listener of process.listeners('unhandledRejection')) {
      if (!before.rejections.includes(listener)) process.off('unhandledRejection', listener)
    }
  }
}

/** Registers this project's kernels; each replaces the backend's own kernel of that name, if there is one. */
function registerKernels(): void {
  for (const kernel of [...convolutionKernels, ...depthwiseKernels, ...poolingKernels, oneHotKernel]) {
    const present = getKernel(kernel.kernelName, 'wasm') as typeof kernel | undefined
    if (present === kernel) continue
    if (present) unregisterKernel(kernel.kernelName, 'wasm')
    registerKernel(kernel)
  }
}

/**
 * Makes the wasm backend tfjs's current one, with every kernel that training needs, and waits until it computes. The
 * binary is read from the package's own folder. A second call leaves the backend as it is.
 * @param options.threads must be 1: under Node the backend has no threads.
 * @returns the backend's version, e.g. "4.22.0".
 * @throws EngineError if threads is not 1, or the backend cannot be started.
 */
export async function loadWasmBackend(options: { threads: number }): Promise<{ version: string }> {
  if (options.threads !== 1) {
    throw new EngineError(`threads is ${options.threads}, but the wasm engine computes with 1 thread: use --threads 1 and one worker for each core.`)
  }
  const main = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm')
  setWasmPaths(join(dirname(main), sep))
  setThreadsCount(1)
  registerKernels()
  try {
    const started = await withoutNewListeners(() => setBackend('wasm'))
    if (!started) throw new Error(`WebAssembly did not start from ${dirname(main)}`)
    await ready()
  } catch (thrown) {
    throw new EngineError(`the wasm engine cannot be loaded: ${messageOf(thrown)}. Install the dependencies again with npm ci.`)
  }
  return { version: version_wasm }
}
