import { openCheckpoint, prepareModel, WITHOUT_GRADIENTS } from '../../../../cli/inference.ts'
import { Classifier } from '../../../../cli/serve/classifier.ts'
import { LastingCompute } from '../../../../cli/serve/lasting_compute.ts'
import { ServeMetrics } from '../../../../cli/serve/metrics.ts'
import { serveLimits, ServeServer, type ServeLimits, type ServeOptions } from '../../../../cli/serve/server.ts'
import { ComputeProcess } from '../../../../shared/compute/compute_process.ts'
import { deferred, type Deferred } from '../../../../shared/kit/async.ts'
import type { EngineError } from '../../../../shared/kit/errors.ts'
import { createLog } from '../../../../shared/kit/log.ts'

const log = createLog({ quiet: true, verbose: false, logFormat: 'pretty' })

/** A compute process with the tiny network of a checkpoint, in WebAssembly, and what else a server of it needs. */
export class ServedModel {
  readonly compute: LastingCompute
  readonly #model: ConstructorParameters<typeof Classifier>[0]
  /** Errors that were told of. */
  readonly told: string[]

  private constructor(compute: LastingCompute, model: ConstructorParameters<typeof Classifier>[0], told: string[]) {
    this.compute = compute
    this.#model = model
    this.told = told
  }

  static async open(file: string): Promise<ServedModel> {
    const opened = await openCheckpoint(file)
    const { transforms, request } = prepareModel(opened, { engine: 'wasm', precision: undefined, numerics: undefined, threads: undefined, gpu: undefined }, log)
    const told: string[] = []
    const compute = await LastingCompute.start(async () => {
      const process = await ComputeProcess.start(opened.checkpoint.network, WITHOUT_GRADIENTS, request)
      process.setParameters(opened.checkpoint.parameters)
      return process
    }, { error: (message: string) => void told.push(message) })
    return new ServedModel(compute, { ...opened, transforms }, told)
  }

  /** Serves the model. @param gate what each batch waits for, if it is given */
  async serve({ queue = 8, gate, options = {}, limits = {} }: { queue?: number; gate?: Deferred<undefined>; options?: Partial<ServeOptions>; limits?: Partial<ServeLimits> } = {}): Promise<{ server: ServeServer; metrics: ServeMetrics; failed: Promise<EngineError> }> {
    const metrics = new ServeMetrics(() => ({ taken: classifier.taken, queue, restarts: this.compute.restarts }), undefined)
    const classifier = new Classifier(this.#model, async (pixels, count) => {
      await gate?.promise
      metrics.onBatch(count, 0.01)
      return this.compute.logits(pixels, count)
    }, { maxBatch: 4, maxWaitMs: 1, queue })
    metrics.describe('tiny', await this.compute.info())
    const { promise: failed, resolve } = deferred<EngineError>()
    const server = await ServeServer.start(classifier, { host: '127.0.0.1', port: 0, token: undefined, tls: undefined, ...options }, { metrics, limits: { ...serveLimits(queue), ...limits }, onFailure: resolve })
    return { server, metrics, failed }
  }
}
