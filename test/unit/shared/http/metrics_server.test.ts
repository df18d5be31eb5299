import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import test, { type TestContext } from 'node:test'
import { Gauge, Registry } from 'prom-client'
import { serveMetrics } from '../../../../shared/http/metrics_server.ts'

/** Starts a server as for --metrics-port. @returns its port */
async function serve(t: TestContext, limits?: { connections: number; patienceMs: number }): Promise<number> {
  const registry = new Registry()
  new Gauge({ name: 'herd_test', help: 'A number.', registers: [registry] }).set(7)
  const server = await serveMetrics(registry, () => undefined, '127.0.0.1', 0, limits)
  t.after(() => server.close())
  return server.port
}

/** Waits until a socket is closed, in order or by an error. */
const closed = (socket: net.Socket): Promise<void> => new Promise((resolve) => socket.on('error', () => undefined).on('close', () => resolve()))

/** Sends a request on a raw connection. @returns everything that comes back until the server closes it */
async function answerTo(port: number, request: string | Buffer): Promise<string> {
  const socket = net.connect(port, '127.0.0.1')
  let answer = ''
  socket.on('data', (data: Buffer) => (answer += data.toString('latin1')))
  socket.write(request)
  await closed(socket)
  return answer
}

const closing = 'Host: 127.0.0.1\r\nConnection: close\r\n\r\n'

test('metrics and health are served, to GET and HEAD', async (t) => {
  const port = await serve(t)
  assert.match(await answerTo(port, `GET /metrics HTTP/1.1\r\n${closing}`), /^HTTP\/1\.1 200 OK[^]*herd_test 7\n/)
  assert.match(await answerTo(port, `GET /healthz HTTP/1.1\r\n${closing}`), /^HTTP\/1\.1 200 OK[^]*\nok\n/)
  const head = await answerTo(port, `HEAD /metrics HTTP/1.1\r\n${closing}`)
  assert.match(head, /^HTTP\/1\.1 200 OK/)
  assert.doesNotMatch(head, /herd_test/)
})

test('a page of another site, whose name was made to mean this machine, reads nothing', async (t) => {
  const port = await serve(t)
  for (const host of ['evil.example', `evil.example:${port}`]) {
    const answer = await answerTo(port, `GET /metrics HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    assert.match(answer, /^HTTP\/1\.1 403 /)
    assert.doesNotMatch(answer, /herd_test/)
  }
  assert.match(await answerTo(port, `GET /metrics HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n\r\n`), /herd_test 7/)
})

const wrong: [what: string, request: string | Buffer, answer: RegExp][] = [
  ['another path', `GET /../../etc/passwd HTTP/1.1\r\n${closing}`, /^HTTP\/1\.1 404 /],
  ['another method', 'POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nbody', /^HTTP\/1\.1 405 /],
  ['a header of a megabyte', `GET /metrics HTTP/1.1\r\nX: ${'x'.repeat(1_000_000)}\r\n${closing}`, /^(HTTP\/1\.1 431 |$)/],
  ['a header without end', `GET /metrics HTTP/1.1\r\n${'X: x\r\n'.repeat(100_000)}`, /^(HTTP\/1\.1 431 |$)/],
  ['no HTTP', Buffer.from([0, 255, 13, 10, 13, 10]), /^HTTP\/1\.1 400 /],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /^HTTP\/1\.1 400 /],
  ['a tunnel', 'CONNECT 192.0.2.1:22 HTTP/1.1\r\nHost: x\r\n\r\n', /^$/],
  ['two lengths', 'GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', /^HTTP\/1\.1 400 /],
]
for (const [what, request, answer] of wrong) {
  test(`${what} gets an answer or nothing, and the port goes on serving`, async (t) => {
    const port = await serve(t)
    assert.match(await answerTo(port, request), answer)
    assert.match(await answerTo(port, `GET /metrics HTTP/1.1\r\n${closing}`), /herd_test 7/)
  })
}

test('connections that say nothing, or half a request, or are idle after one, are closed', async (t) => {
  const port = await serve(t, { connections: 64, patienceMs: 300 })
  const answers = await Promise.all(['', 'GET /metr', 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'].map((request) => answerTo(port, request)))
  assert.match(answers[2], /\nok\n/)
})

test('there are no more connections than may be, and there is room again when they have gone', async (t) => {
  const port = await serve(t, { connections: 2, patienceMs: 5000 })
  const held = [net.connect(port, '127.0.0.1'), net.connect(port, '127.0.0.1')]
  for (const socket of held) await once(socket, 'connect')
  assert.equal(await answerTo(port, `GET /metrics HTTP/1.1\r\n${closing}`), '')
  for (const socket of held) {
    socket.resume().end()
    await closed(socket)
  }
  assert.match(await answerTo(port, `GET /metrics HTTP/1.1\r\n${closing}`), /herd_test 7/)
})
