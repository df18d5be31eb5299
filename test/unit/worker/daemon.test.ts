import assert from 'node:assert/strict'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import test from 'node:test'
import pino from 'pino'
import { WorkerDaemon } from '../../../worker/daemon.ts'
import { unobserved } from '../../support/unobserved.ts'

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}

const close = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()))

test('a worker that is told to stop while it waits to try again does not join once more', async () => {
  const free = createServer()
  const port = await listen(free, 0)
  await close(free)

  let sayItWaits: () => void = () => undefined
  const waits = new Promise<void>((resolve) => (sayItWaits = resolve))
  const log = pino({}, { write: (line: string) => (line.includes('waiting for the coordinator') ? sayItWaits() : undefined) })
  const daemon = new WorkerDaemon(
    { coordinator: `127.0.0.1:${port}`, access: { token: undefined, tls: undefined }, data: undefined, name: 'waiting', engine: 'auto', gpu: undefined, cacheFolder: tmpdir(), pixelCacheBytes: 0, imageCacheBytes: 0, metricsAddress: '', patienceMs: 60_000 },
    log,
    unobserved,
  )
  const ended = daemon.run()
  await waits
  daemon.stop()

  let connections = 0
  const coordinator = createServer((socket) => {
    connections++
    socket.destroy()
  })
  await listen(coordinator, port)
  await ended
  await close(coordinator)
  assert.equal(connections, 0)
})
