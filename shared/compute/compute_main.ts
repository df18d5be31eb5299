import { createFingerprinted } from '../engine/create.ts'
import type { Engine } from '../engine/engine.ts'
import { messageOf } from '../errors.ts'
import { LaneStack } from '../train/lane_stack.ts'
import { machineSeconds } from '../trace/span.ts'
import { bytesOf, floatsOf } from '../wire/floats.ts'
import { REPLY_FD, REQUEST_FD, requestSchema, type Reply } from './compute_protocol.ts'
import { readFrameSync, writeFrameSync } from './frames.ts'

/**
 * The compute process: an engine and its lane stack behind two pipes. tfjs-node's bindings block the event loop, so
 * they live here, apart from a worker's heartbeats or a coordinator's rounds, and this process has nothing to do but to read, compute, write.
 */

function reply(message: Reply, body?: Uint8Array): void {
  writeFrameSync(REPLY_FD, message, body)
}

async function serve(): Promise<void> {
  let engine: Engine | undefined
  let stack: LaneStack | undefined
  for (;;) {
    const frame = readFrameSync(REQUEST_FD)
    if (frame === undefined) return engine?.dispose()
    const request = requestSchema.parse(frame.header)
    if (request.type === 'init') {
      const { network, seed, compress, gpu, ...rest } = request
      const created = await createFingerprinted(network, { ...rest, gpu: gpu ?? undefined })
      engine = created.engine
      stack = new LaneStack(engine, network, { seed, compress }, machineSeconds)
      reply({ type: 'ready', info: engine.info, fingerprint: created.fingerprint, note: created.note ?? null })
      continue
    }
    if (engine === undefined || stack === undefined) throw new Error(`${request.type} before init`)
    switch (request.type) {
      case 'parameters':
        engine.setParameters(floatsOf(frame.body))
        break
      case 'push':
        reply({ type: 'pushed', ...stack.push({ ...request, images: frame.body }, request.node) })
        break
      case 'add':
        stack.add(request.node)
        break
      case 'take': {
        const { values, lanes } = stack.take()
        reply({ type: 'partial', lanes }, bytesOf(values))
        stack.recycle(values)
        break
      }
      case 'clear':
        stack.clear()
        reply({ type: 'cleared' })
        break
      case 'logits':
        reply({ type: 'logits' }, bytesOf(engine.logits(frame.body, request.count)))
        break
    }
  }
}

// A terminal sends these to the whole process group; its parent decides when it ends.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)

try {
  await serve()
} catch (error) {
  reply({ type: 'failed', message: messageOf(error) })
  process.exitCode = 1
}
