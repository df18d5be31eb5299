import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import test from 'node:test'
import { RunError } from '../../../shared/kit/errors.ts'
import { Token } from '../../../shared/security/token.ts'
import { serveLive } from '../../../live/server.ts'
import { answerTo, ask, MadeUpSource, served, Viewer, type Answer } from './served.ts'

/** Tests of the live page's server with real sockets; those of access are in test/unit/live/gatekeeper.test.ts. */

test('the page and what belongs to it are served, to GET and HEAD, with headers that keep others out', async (t) => {
  const { port } = await served(t)
  for (const [path, type] of [['/', 'text/html'], ['/page.js', 'text/javascript'], ['/page.css', 'text/css'], ['/icon.svg', 'image/svg+xml']]) {
    const { status, headers, body } = await ask(port, 'GET', path)
    assert.equal(status, 200, path)
    assert.ok(headers['content-type']?.startsWith(type), path)
    assert.ok(body.length > 100)
    assert.match(String(headers['content-security-policy']), /^default-src 'none'; script-src 'self';.*frame-ancestors 'none'$/)
    assert.doesNotMatch(String(headers['content-security-policy']), /unsafe|\*|http/)
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['referrer-policy'], 'no-referrer')
    const head = await ask(port, 'HEAD', path)
    assert.deepEqual([head.status, head.body, Number(head.headers['content-length'])], [200, '', Buffer.byteLength(body)])
  }
})

test('the report of a run is served to who may look, with a policy under which it can do nothing', async (t) => {
  const { port } = await served(t)
  const { status, headers, body } = await ask(port, 'GET', '/report?run=1')
  assert.deepEqual([status, headers['content-type'], body], [200, 'text/html; charset=utf-8', '<!doctype html><p>héron'])
  assert.equal(headers['content-security-policy'], "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox")
  for (const [path, error] of [['/report', 'The run has no report: `herd report` writes one.'], ['/report?run=2', 'There is no run 2: expected 0 to 1.'], ['/report?run=../1', 'There is no run ../1: expected 0 to 1.']]) {
    const refused = await ask(port, 'GET', path)
    assert.deepEqual([refused.status, JSON.parse(refused.body)], [404, { error }], path)
  }
  assert.equal((await ask(port, 'POST', '/report?run=1')).status, 405)
  const guarded = await served(t, { token: new Token('a-token-of-thirty-two-characters', 'the test') })
  assert.equal((await ask(guarded.port, 'GET', '/report?run=1')).status, 401)
  assert.equal((await ask(guarded.port, 'GET', '/report?run=1', { authorization: 'Bearer a-token-of-thirty-two-characters' })).status, 200)
})

test('another path is told where the page is, another method what is allowed', async (t) => {
  const { port } = await served(t)
  for (const path of ['/page', '/page/main.ts', '/../../etc/passwd', '/%2e%2e/package.json', '//127.0.0.1/x', '/runs/first/config.json']) {
    const { status, headers, body } = await ask(port, 'GET', path)
    assert.deepEqual([status, headers['content-type'], body], [404, 'text/plain; charset=utf-8', 'see /\n'], path)
  }
  for (const [method, path, allow] of [['POST', '/', 'GET, HEAD'], ['DELETE', '/session', 'GET, HEAD'], ['PUT', '/predict', 'POST'], ['GET', '/login', 'POST'], ['POST', '/live', 'GET']]) {
    const { status, headers } = await ask(port, method, path)
    assert.deepEqual([status, headers['allow']], [405, allow], `${method} ${path}`)
  }
  assert.equal((await ask(port, 'GET', '/live')).status, 426)
})

test('a page gets everything first, then each patch in order; one that comes later begins with everything too', async (t) => {
  const { port, source } = await served(t)
  const first = new Viewer(port)
  await first.received(1)
  for (let step = 0; step < 200; step++) source.emit(step % 2, { newSteps: [{ step, loss: NaN, accuracy: 0.5, imagesPerSecond: 10, gradientNorm: null }] })
  const second = new Viewer(port)
  await second.received(1)
  source.emit(0, { state: 'finished' })
  const messages = await first.received(202)
  assert.deepEqual(messages[0], { type: 'runs', live: true, runs: source.views })
  assert.deepEqual(messages.slice(1, 201).map((message) => message.type === 'patch' && [message.run, message.patch.newSteps?.[0]]), Array.from({ length: 200 }, (_, step) => [step % 2, { step, loss: NaN, accuracy: 0.5, imagesPerSecond: 10, gradientNorm: null }]))
  assert.deepEqual((await second.received(2))[1], { type: 'patch', run: 0, patch: { state: 'finished' } })
})

test('a page that comes while the run is being prepared gets everything once there is something', async (t) => {
  const { port, source } = await served(t)
  const views = source.views.splice(0)
  const viewer = new Viewer(port)
  assert.deepEqual(await viewer.received(1), [{ type: 'runs', live: true, runs: [] }])
  assert.deepEqual(JSON.parse((await ask(port, 'POST', '/predict?run=0', {}, 'photograph')).body), { error: 'The run is being prepared: try again in a moment.' })
  source.views.push(views[0])
  source.emit(0, { state: 'training' })
  source.emit(0, { state: 'evaluating' })
  assert.deepEqual((await viewer.received(3)).slice(1), [{ type: 'runs', live: true, runs: [views[0]] }, { type: 'patch', run: 0, patch: { state: 'evaluating' } }])
})

test('a page that does not take its messages is dropped, and the others go on', async (t) => {
  const { port, source } = await served(t)
  const good = new Viewer(port)
  const slow = new Viewer(port)
  await Promise.all([good.received(1), slow.received(1)])
  slow.socket.pause()
  const text = 'x'.repeat(200_000)
  // The kernel buffers some more megabytes for a connection, so far more than the limit is sent.
  for (let sent = 1; sent <= 200; sent++) {
    source.emit(0, { newEvents: [{ time: '2026-01-01T00:00:00.000Z', kind: 'x', level: 'info', text }] })
    await good.received(sent + 1)
  }
  slow.socket.resume()
  assert.equal(await slow.closed, 1006)
  assert.ok(slow.messages.length < 201, String(slow.messages.length))
  assert.equal(good.socket.readyState, good.socket.OPEN)
})

test('a page that is gone without a word is found by pings; one that answers stays', async (t) => {
  const { port } = await served(t, {}, { pingMs: 100 })
  const silent = net.connect(port, '127.0.0.1')
  silent.write('GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n')
  const viewer = new Viewer(port)
  await viewer.received(1)
  silent.resume()
  await once(silent, 'close')
  assert.equal(viewer.socket.readyState, viewer.socket.OPEN)
})

test('a page that sends something is closed, however much it is', async (t) => {
  const { port } = await served(t)
  for (const [message, code] of [['hello', 1008], [Buffer.alloc(1_000_000), 1009]] as const) {
    const viewer = new Viewer(port)
    await viewer.received(1)
    viewer.socket.send(message)
    assert.equal(await viewer.closed, code)
  }
})

test('no more pages look on than may, and there is room again when one has gone', async (t) => {
  const { port } = await served(t, {}, { viewers: 1 })
  const first = new Viewer(port)
  await first.received(1)
  assert.equal(await new Viewer(port).refused, 503)
  first.socket.close()
  await first.closed
  await new Viewer(port).received(1)
})

test('a photograph is classified for the run that is asked about', async (t) => {
  const { port } = await served(t)
  const { status, headers, body } = await ask(port, 'POST', '/predict?run=1', {}, 'photograph')
  assert.deepEqual([status, headers['content-type'], JSON.parse(body)], [200, 'application/json; charset=utf-8', { step: 10, epoch: 1, classes: [] }])
})

test('what is no photograph, of no run, too early or too large gets a sentence', async (t) => {
  const { port } = await served(t)
  const cases: [path: string, body: string | Buffer, status: number, error: string][] = [
    ['/predict?run=0', 'no image', 400, 'the photograph cannot be decoded.'],
    ['/predict?run=0', 'too early', 503, 'there are no weights yet.'],
    ['/predict?run=0', 'defect', 500, 'this is a defect'],
    ['/predict?run=2', 'photograph', 404, 'There is no run 2: expected 0 to 1.'],
    ['/predict?run=-1', 'photograph', 404, 'There is no run -1: expected 0 to 1.'],
    ['/predict?run=first', 'photograph', 404, 'There is no run first: expected 0 to 1.'],
    ['/predict?run=0', Buffer.alloc(2 ** 17 + 1), 413, 'The photograph is too large: it may have 0.125 MiB.'],
  ]
  for (const [path, photograph, expected, error] of cases) {
    const { status, body } = await ask(port, 'POST', path, {}, photograph)
    assert.deepEqual([status, JSON.parse(body)], [expected, { error }])
  }
  const chunk = `1000\r\n${'x'.repeat(4096)}\r\n`
  const chunked = await answerTo(port, `POST /predict?run=0 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(40)}`)
  assert.match(chunked, /^HTTP\/1\.1 413 /)
})

test('photographs are looked at one after the other, and beyond a few are refused', async (t) => {
  const { port, source } = await served(t, {}, { photos: 3 })
  let open = (): void => undefined
  source.gate = new Promise((resolve) => (open = resolve))
  const answers: Answer[] = []
  const asked = [1, 2, 3, 4, 5].map(async (length) => answers.push(await ask(port, 'POST', '/predict?run=0', {}, 'x'.repeat(length))))
  while (answers.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
  open()
  await Promise.all(asked)
  assert.deepEqual(answers.map(({ status }) => status), [503, 503, 200, 200, 200])
  assert.match(answers[0].body, /Other photographs are being looked at/)
  assert.equal(source.mostLooking, 1)
  assert.equal((await ask(port, 'POST', '/predict?run=0', {}, 'x')).status, 200, 'there is room again')
})

const hostile: [what: string, request: string | Buffer, answer: RegExp][] = [
  ['a header of a megabyte', `GET / HTTP/1.1\r\nX: ${'x'.repeat(1_000_000)}\r\n\r\n`, /^(HTTP\/1\.1 431 |$)/],
  ['no HTTP', Buffer.from([0, 255, 13, 10, 13, 10]), /^HTTP\/1\.1 400 /],
  ['a tunnel', 'CONNECT 192.0.2.1:22 HTTP/1.1\r\nHost: x\r\n\r\n', /^$/],
  ['a path that is none', 'GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n', /^HTTP\/1\.1 404 /],
  ['an upgrade to something else', 'GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n', /^HTTP\/1\.1 400 /],
  ['an upgrade elsewhere', 'GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n', /^HTTP\/1\.1 404 /],
  ['a WebSocket without its key', 'GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n', /^HTTP\/1\.1 400 /],
  ['a body that is said to be huge', 'POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n', /^HTTP\/1\.1 413 /],
  ['a login without end', `POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(100_000)}`, /^HTTP\/1\.1 400 /],
]
for (const [what, request, answer] of hostile) {
  test(`${what} gets an answer or nothing, and the page is served on`, async (t) => {
    const { port } = await served(t)
    assert.match(await answerTo(port, request), answer)
    assert.equal((await ask(port, 'GET', '/')).status, 200)
  })
}

test('connections that say nothing, or stop in the middle, are closed', async (t) => {
  const { port } = await served(t, {}, { patienceMs: 300, uploadMs: 600 })
  const requests = ['', 'GET /pag', 'GET /session HTTP/1.1\r\nHost: localhost\r\n\r\n', 'POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx']
  const answers = await Promise.all(requests.map((request) => answerTo(port, request)))
  assert.match(answers[2], /"access":"open"/)
  assert.equal((await ask(port, 'POST', '/predict?run=0', {}, 'photograph')).status, 200, 'the photograph that stopped makes room')
})

test('a port that is in use is an error for people that names the option', async (t) => {
  const { port } = await served(t)
  await assert.rejects(serveLive(new MadeUpSource(), { host: '127.0.0.1', port, token: undefined, tls: undefined }), (error: unknown) => error instanceof RunError && error.message === `--http-port ${port}: the port is in use; choose another, or 0 for a free one.`)
})

test('closing ends everything at once: pages, requests, idle connections, and the subscription', async (t) => {
  const { port, source, close } = await served(t)
  source.gate = new Promise(() => undefined)
  const viewer = new Viewer(port)
  await viewer.received(1)
  const idle = net.connect(port, '127.0.0.1').on('error', () => undefined)
  await once(idle, 'connect')
  const asked = assert.rejects(ask(port, 'POST', '/predict?run=0', {}, 'photograph'))
  while (source.looking === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  const before = performance.now()
  const idleClosed = once(idle.resume(), 'close')
  await close()
  assert.equal(await viewer.closed, 1006)
  await Promise.all([asked, idleClosed])
  assert.ok(performance.now() - before < 2000)
  assert.equal(source.listeners.size, 0)
})
