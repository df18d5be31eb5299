import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { computeEnvironment } from '../engine/native.ts'
import { EngineError, messageOf } from '../kit/errors.ts'
import { nodeArguments } from '../kit/node_process.ts'
import { programFile } from '../kit/project.ts'
import { layerTimesAnswerSchema, type LayerTimes, type LayerTimesRequest } from './layer_times_protocol.ts'

const LARGEST_ANSWER = 16 * 1024 * 1024

/**
 * Measures how long each layer of a network takes on this machine, forward and backward, and a whole lane's gradient, in a process of its own.
 * @throws EngineError if the engine cannot compute it
 */
export async function measureLayers(request: LayerTimesRequest): Promise<LayerTimes> {
  const started = promisify(execFile)(process.execPath, nodeArguments(programFile('layers')), { env: { ...process.env, ...computeEnvironment({ threads: request.threads, gpu: undefined }) }, maxBuffer: LARGEST_ANSWER })
  // A process that ends before it has read all says why by its exit.
  started.child.stdin?.on('error', () => undefined)
  started.child.stdin?.end(JSON.stringify(request))
  const { stdout } = await started.catch((error: unknown) => {
    throw new EngineError(`the process that times layers ended: ${messageOf(error)}`, { cause: error })
  })
  const answer = layerTimesAnswerSchema.parse(JSON.parse(stdout))
  if ('failure' in answer) throw new EngineError(answer.failure)
  return answer
}
