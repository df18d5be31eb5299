import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import type * as TensorFlowNode from '@tensorflow/tfjs-node'
import { EngineError, messageOf } from '../kit/errors.ts'
import type { Numerics } from './engine.ts'

/** Settings with which TensorFlow is loaded. */
export interface NativeOptions {
  /** Number of threads inside one operation. */
  threads: number
  /** Index of a GPU of this machine, or undefined for the CPU. */
  gpu: number | undefined
  /** Choice of kernels; by default that of the processor. */
  numerics?: Numerics
}

export interface NativeTensorFlow {
  tf: typeof TensorFlowNode
  /** TensorFlow's own version, e.g. "2.18.1". */
  version: string
  /** Device that computes: "cpu", or a GPU by its index, "gpu:0". */
  device: string
  /** Message for the user, e.g. that no GPU was found. */
  note?: string
}

const require = createRequire(import.meta.url)

function packageName(gpu: boolean): string {
  return gpu ? '@tensorflow/tfjs-node-gpu' : '@tensorflow/tfjs-node'
}

/**
 * Returns true if the compiled addon of tfjs-node (or, for a GPU, tfjs-node-gpu) is installed, and TensorFlow's libraries can be read. It loads
 * nothing. The addon is in lib/napi-vN, where N is the newest of the package's Node-API versions that this Node.js knows.
 */
export function nativeAvailable(options: { gpu: boolean } = { gpu: false }): boolean {
  try {
    const manifest = require.resolve(`${packageName(options.gpu)}/package.json`)
    const { binary } = require(manifest) as { binary: { napi_versions: number[] } }
    const known = binary.napi_versions.filter((version) => version <= Number(process.versions.napi))
    return existsSync(join(dirname(manifest), 'lib', `napi-v${Math.max(...known)}`, 'tfjs_binding.node')) && librariesCanBeRead(join(dirname(manifest), 'deps', 'lib'))
  } catch {
    // The packages are optional dependencies, so it is no failure if they are not installed.
    return false
  }
}

/**
 * True if every library of TensorFlow that `herd setup` has linked from a folder leads to a file that this user may read. The files lie in the
 * cache of the user that ran `herd setup`: another one, e.g. after a setup by root, may see the links alone.
 */
export function librariesCanBeRead(folder: string): boolean {
  try {
    for (const name of readdirSync(folder)) accessSync(join(folder, name), constants.R_OK)
    return true
  } catch {
    return false
  }
}

/** File in the package, in which `herd setup` notes what it has put there. */
export const SETUP_NOTE = join('deps', 'herd-setup.json')

/** Returns the sha256 of the wheels that the installed TensorFlow is from, in hexadecimal; undefined if `herd setup` has not noted them. */
export function wheelsOfNative(gpu: boolean): string[] | undefined {
  try {
    const folder = dirname(require.resolve(`${packageName(gpu)}/package.json`))
    return setupNoteSchema.parse(JSON.parse(readFileSync(join(folder, SETUP_NOTE), 'utf8'))).wheels
  } catch {
    // Without the package, or with an engine from elsewhere, nothing is known.
    return undefined
  }
}

const setupNoteSchema = z.object({ wheels: z.array(z.string().regex(/^[0-9a-f]{64}$/)).min(1) })

/**
 * Returns the environment variables that TensorFlow reads when it is loaded, for starting a compute process. The user's own log
 * level is kept. (Settings of glibc's malloc are not among them: measured with the article's network, a step makes some
 * 1,500 page faults, and neither a higher mmap and trim threshold nor huge pages changed its time.)
 */
export function computeEnvironment({ threads, gpu, numerics }: NativeOptions): Record<string, string> {
  return {
    TF_NUM_INTRAOP_THREADS: String(threads),
    TF_NUM_INTEROP_THREADS: '1',
    OMP_NUM_THREADS: String(threads),
    TF_ENABLE_ONEDNN_OPTS: '1',
    TF_CPP_MIN_LOG_LEVEL: process.env.TF_CPP_MIN_LOG_LEVEL ?? '2',
    // oneDNN generates its kernels for the best instruction set that it finds, up to this one.
    ...(numerics === 'portable' ? { ONEDNN_MAX_CPU_ISA: 'AVX2' } : {}),
    ...(gpu === undefined
      ? // The installed TensorFlow may be one with CUDA, which would use a GPU unasked.
        { CUDA_VISIBLE_DEVICES: '-1' }
      : {
          CUDA_VISIBLE_DEVICES: String(gpu),
          TF_FORCE_GPU_ALLOW_GROWTH: 'true',
          // cuDNN's convolution gradients would otherwise differ from run to run, and float32 would mean TF32. The first algorithm that cuDNN
          // proposes is used without a trial: one that fails its trial, e.g. for lack of memory, would be replaced by one with other bits.
          TF_DETERMINISTIC_OPS: '1',
          TF_CUDNN_USE_AUTOTUNE: '0',
          NVIDIA_TF32_OVERRIDE: '0',
        }),
  }
}

let loaded: { options: NativeOptions; native: NativeTensorFlow } | undefined

/**
 * Loads native TensorFlow and makes it the backend of tfjs. Threads, GPU and numerics are settings of the whole
 * process, so they can be given only once; a second call returns the same TensorFlow.
 * @throws EngineError if it is not set up or cannot be loaded, or was loaded with other settings.
 */
export function loadNative(options: NativeOptions): NativeTensorFlow {
  if (loaded !== undefined) {
    if (describe(loaded.options) !== describe(options)) {
      throw new EngineError(`TensorFlow already runs in this process with ${describe(loaded.options)}: start another process for ${describe(options)}.`)
    }
    return loaded.native
  }
  const gpu = options.gpu !== undefined
  if (!nativeAvailable({ gpu })) {
    throw new EngineError(`The native engine${gpu ? ' for GPUs' : ''} is not set up: run \`npx herd setup${gpu ? ' --gpu' : ''}\`.`)
  }
  Object.assign(process.env, computeEnvironment(options))
  const native = load(options)
  loaded = { options, native }
  return native
}

/** Names the settings that a process has for TensorFlow. */
function describe({ threads, gpu, numerics = 'native' }: NativeOptions): string {
  return `threads ${threads}, gpu ${gpu ?? 'none'} and ${numerics} numerics`
}

/** Provides the functions of Node's util that tfjs-node 4.22.0 calls on its eager path and that Node 23 has removed. */
function provideRemovedUtilities(): void {
  const util = require('node:util') as Partial<Record<'isNullOrUndefined' | 'isArray', (value: unknown) => boolean>>
  util.isNullOrUndefined ??= (value) => value === null || value === undefined
  util.isArray ??= (value) => Array.isArray(value)
}

function load(options: NativeOptions): NativeTensorFlow {
  const gpu = options.gpu !== undefined
  let tf: typeof TensorFlowNode
  provideRemovedUtilities()
  try {
    tf = require(packageName(gpu)) as typeof TensorFlowNode
  } catch (error) {
    throw new EngineError(`The native engine cannot be loaded (${messageOf(error)}): run \`npx herd setup${gpu ? ' --gpu' : ''}\`.`, { cause: error })
  }
  const backend = tf.backend() as { binding?: { TF_Version: string }; isUsingGpuDevice?: boolean }
  if (backend.binding === undefined) throw new EngineError(`${packageName(gpu)} is loaded, but its backend is not TensorFlow: run \`npx herd setup\`.`)
  const version = backend.binding.TF_Version
  if (options.gpu === undefined) return { tf, version, device: 'cpu' }
  if (backend.isUsingGpuDevice === true) return { tf, version, device: `gpu:${options.gpu}` }
  return { tf, version, device: 'cpu', note: `TensorFlow ${version} found no GPU ${options.gpu} on this machine and computes on the CPU.` }
}
