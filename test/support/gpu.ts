import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { nativeAvailable } from '../../shared/engine/native.ts'
import { nodeArguments } from '../../shared/kit/node_process.ts'
import { GPU_REASON } from './gpu_reason.ts'

/** Reason why tests of a GPU are skipped here; false if there is a GPU. TensorFlow is asked in a process of its own, since it can be loaded only once. */
export async function withoutGpu(): Promise<string | false> {
  if (!nativeAvailable({ gpu: true })) return `${GPU_REASON}the native engine for GPUs is not installed: run \`npx herd setup --gpu\``
  const { stdout } = await promisify(execFile)(process.execPath, nodeArguments(path.join(import.meta.dirname, 'gpu_main.js')))
  return stdout === 'gpu:0' ? false : `${GPU_REASON}TensorFlow finds none on this machine`
}
