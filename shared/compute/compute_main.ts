import { createFingerprinted } from '../engine/create.ts'
import type { Engine } from '../engine/engine.ts'
import { messageOf } from '../kit/errors.ts'
import { LaneStack } from '../lanes/lane_stack.ts'
import { machineSeconds } from '../trace/span.ts'
import { bytesOf, floatsOf } from '../kit/floats.ts'
import { MemoryFile } from '../kit/memory_file.ts'
import { MEMORY_FD, REPLY_FD, REQUEST_FD, requestSchema, type Reply } from './compute_protocol.ts'
import { readFrameSync, writeFrameSync } from './frames.ts'

/**
 * The compute process: an engine and its lane stack behind two pipes. tfjs-node's bindings block the event loop, so they run
 * here, where they hold up neither a worker's heartbeats nor a coordinator's rounds; this process only reads, computes and writes.
 */

function reply(message: Reply, body?: Uint8Array): void {
  writeFrameSync(REPLY_FD, message, body)
}

function readShared(memory: MemoryFile, { at, length }: { at: number; length: number }): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(length))
  memory.read(at, bytes)
  return bytes
}

async function serve(): Promise<void> {
  let engine: Engine | undefined
  let stack: LaneStack | undefined
  let memory: MemoryFile | undefined
  for (;;) {
    const frame = readFrameSync(REQUEST_FD)
    if (frame === undefined) return engine?.dispose()
    const request = requestSchema.parse(frame.header)
    if (request.type === 'init') {
      const { network, seed, compress, gpu, sharesMemory, ...rest } = request
      if (sharesMemory) memory = MemoryFile.inherited(MEMORY_FD)
      const created = await createFingerprinted(network, { ...rest, gpu: gpu ?? undefined })
      engine = created.engine
      stack = new LaneStack(engine, network, { seed, compress }, machineSeconds)
      reply({ type: 'ready', info: engine.info, fingerprint: created.fingerprint, note: created.note ?? null })
      continue
    }
    if (engine === undefined || stack === undefined) throw new Error(`${request.type} before init`)
    const body = (): Buffer => ('shared' in request && request.shared !== undefined && memory !== undefined ? readShared(memory, request.shared) : frame.body)
    switch (request.type) {
      case 'parameters':
        engine.setParameters(floatsOf(body()))
        break
      case 'frozen':
        engine.setFrozen(floatsOf(body()))
        break
      case 'push':
        reply({ type: 'pushed', ...stack.push({ ...request, images: body() }, request.node) })
        break
      case 'add':
        stack.add(request.node)
        break
      case 'take': {
        const { values, lanes } = stack.take()
        const bytes = bytesOf(values)
        const isShared = request.shared !== undefined && memory?.write(request.shared.at, bytes) === true
        reply({ type: 'partial', isShared, lanes }, isShared ? undefined : bytes)
        stack.recycle(values)
        break
      }
      case 'clear':
        stack.clear()
        reply({ type: 'cleared' })
        break
      case 'logits':
        reply({ type: 'logits' }, bytesOf(engine.logits(body(), request.count)))
        break
      case 'photograph': {
        const { photographPixels } = await import('./photograph.ts')
        const prepared = await photographPixels(body(), request)
        if (prepared.pixels === undefined) reply({ type: 'undecodable', problem: prepared.problem })
        else reply({ type: 'logits' }, bytesOf(engine.logits(prepared.pixels, 1)))
        break
      }
    }
  }
}

// A terminal sends these signals to the whole process group, but the parent decides when this process ends.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)

try {
  await serve()
} catch (error) {
  reply({ type: 'failed', message: messageOf(error) })
  process.exitCode = 1
}
