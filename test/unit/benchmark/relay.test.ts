import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import path from 'node:path'
import { createInterface } from 'node:readline'
import test from 'node:test'
import { z } from 'zod'
import { nodeArguments } from '../../../shared/kit/node_process.ts'
import { ROOT } from '../../../shared/kit/project.ts'

const RELAY = path.join(ROOT, 'dist/benchmark/hosts/relay_main.js')
const SECONDS = 0.1

test('a relay hands every byte on, in order, later by its delay each way, and ends with its input', async () => {
  const echo = net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(0, '127.0.0.1')
  await once(echo, 'listening')
  const target = `127.0.0.1:${(echo.address() as net.AddressInfo).port}`
  const relay = spawn(process.execPath, [...nodeArguments(RELAY), JSON.stringify({ host: '127.0.0.1', target, seconds: SECONDS })], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface(relay.stdout), 'line')) as [string]
  const { address } = z.object({ address: z.string() }).parse(JSON.parse(line))
  const socket = net.connect({ host: '127.0.0.1', port: Number(address.split(':')[1]) })
  const sent = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, index) => (index * 7919) >> 3))
  const begin = performance.now()
  socket.end(sent)
  const came: Buffer[] = []
  let first: number | undefined
  for await (const data of socket) {
    first ??= performance.now()
    came.push(data as Buffer)
  }
  assert.ok(Buffer.concat(came).equals(sent))
  // The bytes come no sooner than after both delays; how much later depends on the machine.
  assert.ok((first ?? 0) - begin >= 2 * SECONDS * 1000 - 2)
  relay.stdin.end()
  assert.deepEqual(await once(relay, 'exit'), [0, null])
  echo.close()
})
