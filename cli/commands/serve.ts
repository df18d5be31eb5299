import type { Command } from 'commander'
import { ComputeProcess } from '../../shared/compute/compute_process.ts'
import { address, flag, parseAddress, text, whole } from '../../shared/command/options.ts'
import { deferred } from '../../shared/kit/async.ts'
import { CheckpointError, type EngineError } from '../../shared/kit/errors.ts'
import { onStopSignal } from '../../shared/kit/stop_signals.ts'
import { readTls } from '../../shared/security/tls.ts'
import { followTokens, takeToken } from '../../shared/security/token.ts'
import { checkViewers } from '../../live/page_access.ts'
import { pageUrl } from '../../live/server.ts'
import { commandOf } from '../command.ts'
import { inferenceOptions, openCheckpoint, prepareModel, WITHOUT_GRADIENTS } from '../inference.ts'
import { print } from '../output.ts'
import { Classifier } from '../serve/classifier.ts'
import { LastingCompute } from '../serve/lasting_compute.ts'
import { ServeMetrics } from '../serve/metrics.ts'
import { serveLimits, ServeServer } from '../serve/server.ts'

/** `herd serve`: classifies images by HTTP with the weights of a checkpoint, until it is stopped by a signal; then it answers what it has. */
export const serveCommand = (): Command =>
  commandOf({
    name: 'serve',
    options: {
      ...inferenceOptions,
      listen: address('Address to answer at; port 0 takes a free one. Beyond this machine, a token is required.', '127.0.0.1:8000'),
      maxBatch: whole('<images>', 'Most images that are computed at once.', { min: 1, max: 1024 }, 32),
      maxWait: whole('<ms>', 'Longest time, in milliseconds, for which an image waits for others to be computed with, while nothing else is computed.', { min: 0, max: 10_000 }, 2),
      queue: whole('<images>', 'Most images that are taken at a time; more are told to come again (503).', { min: 1, max: 100_000 }, 256),
      tokenFile: text('<file>', 'File with the tokens that clients must give one of; the environment variable HERD_TOKEN can have a token itself.'),
      tlsCert: text('<file>', 'Certificate of the server, PEM: it speaks HTTPS.'),
      tlsKey: text('<file>', 'The key of --tls-cert, PEM.'),
      insecure: flag('Answer beyond this machine without a token: whoever reaches the port can ask.'),
    },
    examples: [
      'herd serve --checkpoint runs/first/checkpoints/latest.ckpt',
      'curl -F image=@photo.jpg http://127.0.0.1:8000/v1/classify',
      'HERD_TOKEN=... herd serve --checkpoint latest.ckpt --listen 0.0.0.0:8000 --max-wait 5',
    ],
    async run(options, { log }) {
      const { host, port } = parseAddress(options.listen) ?? { host: '127.0.0.1', port: 0 }
      const token = await takeToken(process.env, options.tokenFile)
      const tls = await readTls({ tlsCert: options.tlsCert, tlsKey: options.tlsKey, tlsCa: undefined }, new Date())
      const warning = checkViewers({ httpHost: host, token, tls, insecure: options.insecure }, { option: '--listen', open: 'have images classified', sent: 'the images' })
      if (warning !== undefined) log.warn(warning)
      const opened = await openCheckpoint(options.checkpoint)
      const { network, parameters } = opened.checkpoint
      const model = prepareModel(opened, options, log)

      const compute = await LastingCompute.start(async () => {
        const process = await ComputeProcess.start(network, WITHOUT_GRADIENTS, model.request, { log })
        process.setParameters(parameters)
        return process
      }, log)
      const unfollow = followTokens(token, log)
      try {
        // The first computation takes longest, and tells whether the network gives numbers at all.
        const first = await compute.logits(new Uint8Array(options.maxBatch * network.imageSize ** 2 * 3), options.maxBatch)
        if (!first.every(Number.isFinite)) throw new CheckpointError(`${opened.file} gives no numbers: its training diverged. Use an earlier checkpoint.`)
        const metrics = new ServeMetrics(() => ({ taken: classifier.taken, queue: options.queue, restarts: compute.restarts }), tls)
        const classifier = new Classifier({ ...opened, transforms: model.transforms }, async (pixels, count) => {
          const begun = performance.now()
          const logits = await compute.logits(pixels, count)
          metrics.onBatch(count, (performance.now() - begun) / 1000)
          return logits
        }, { maxBatch: options.maxBatch, maxWaitMs: options.maxWait, queue: options.queue })
        metrics.describe(network.name, await compute.info())
        const { promise: ended, resolve: end, reject: fail } = deferred<undefined>()
        const server = await ServeServer.start(classifier, { host, port, token, tls }, { metrics, limits: serveLimits(options.queue), onFailure: (error: EngineError) => fail(error) })
        print(`serving ${network.name} (${opened.checkpoint.classes.length} classes) at ${pageUrl({ host, tls }, server.port)}`)
        // Ctrl-C is the usual way to end this command: no failure.
        onStopSignal(() => end(undefined))
        await ended.finally(() => server.end())
      } finally {
        unfollow()
        await compute.close()
      }
      return true
    },
  })
