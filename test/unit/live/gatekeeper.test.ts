import assert from 'node:assert/strict'
import https from 'node:https'
import type { IncomingMessage } from 'node:http'
import test from 'node:test'
import { makeCertificates } from '../../../cli/certs/certificates.ts'
import { Gatekeeper } from '../../../live/gatekeeper.ts'
import { Token } from '../../../shared/security/token.ts'
import { answerTo, ask, served, Viewer, type Answer } from './served.ts'

const SECRET = 'correct-horse-battery-staple'
const token = new Token(SECRET, 'HERD_TOKEN')
const login = (port: number, body: string, headers = {}): Promise<Answer> => ask(port, 'POST', '/login', headers, body)
const right = JSON.stringify({ token: SECRET })
const wrong = JSON.stringify({ token: 'incorrect-horse-battery-staple' })

/** The cookie of an answer, as a browser sends it back. */
function cookieOf({ headers }: Answer): string {
  const [cookie] = headers['set-cookie'] ?? []
  assert.ok(cookie)
  return cookie.split(';')[0]
}

const accessOf = async (port: number, headers = {}): Promise<unknown> => JSON.parse((await ask(port, 'GET', '/session', headers)).body)

test('without a token, everybody may look', async (t) => {
  const { port } = await served(t)
  assert.deepEqual(await accessOf(port), { access: 'open' })
  await new Viewer(port).received(1)
})

test('with a token, only the page itself is for everybody', async (t) => {
  const { port } = await served(t, { token })
  assert.deepEqual(await accessOf(port), { access: 'token needed' })
  assert.equal((await ask(port, 'GET', '/')).status, 200)
  assert.equal(await new Viewer(port).refused, 401)
  const { status, body } = await ask(port, 'POST', '/predict?run=0', {}, 'photograph')
  assert.deepEqual([status, JSON.parse(body)], [401, { error: 'The token of the run is needed to look at it.' }])
})

test('who gives the token gets a cookie with which a browser may look, and no script can read', async (t) => {
  const { port } = await served(t, { token })
  const answer = await login(port, right)
  assert.equal(answer.status, 204)
  assert.match(String(answer.headers['set-cookie']), new RegExp(`^herd-${port}=[\\w-]{43}; Path=/; HttpOnly; SameSite=Strict; Max-Age=604800$`))
  const headers = { cookie: `other=1; ${cookieOf(answer)}; herd-1=x` }
  assert.deepEqual(await accessOf(port, headers), { access: 'granted' })
  await new Viewer(port, headers).received(1)
  assert.equal((await ask(port, 'POST', '/predict?run=0', headers, 'photograph')).status, 200)
  assert.notEqual(cookieOf(await login(port, right)), cookieOf(answer), 'each login has a session of its own')
})

test('a program may send the token itself', async (t) => {
  const { port } = await served(t, { token })
  const headers = { authorization: `Bearer ${SECRET}` }
  assert.deepEqual(await accessOf(port, headers), { access: 'granted' })
  await new Viewer(port, headers).received(1)
})

test('wrong tokens, cookies and logins are refused', async (t) => {
  const { port } = await served(t, { token })
  for (const [body, status] of [[wrong, 401], ['{"token": 5}', 400], ['{"token": ', 400], ['', 400], [JSON.stringify({ token: 'x'.repeat(5000) }), 400]] as const) {
    const answer = await login(port, body)
    assert.equal(answer.status, status, body.slice(0, 40))
    assert.equal(answer.headers['set-cookie'], undefined)
    assert.equal(typeof (JSON.parse(answer.body) as { error: unknown }).error, 'string')
  }
  for (const headers of [{ authorization: SECRET }, { authorization: 'Bearer ' }, { cookie: `herd-${port}=` }, { cookie: `herd-${port}=${SECRET}` }, { cookie: `herd-${port}` }]) {
    assert.deepEqual(await accessOf(port, headers), { access: 'token needed' })
  }
})

test('after ten wrong tokens, an address waits, even with the right one; who is in stays in', async (t) => {
  const { port } = await served(t, { token })
  const cookie = cookieOf(await login(port, right))
  const statuses: number[] = []
  // On a slow machine a second, and with it another try, may pass before.
  while (statuses.at(-1) !== 429 && statuses.length < 40) statuses.push((await login(port, wrong)).status)
  assert.ok(statuses.length > 10, statuses.join())
  assert.deepEqual([statuses.slice(0, -1).every((status) => status === 401), statuses.at(-1)], [true, 429])
  assert.equal((await login(port, right)).status, 429)
  assert.deepEqual(await accessOf(port, { authorization: `Bearer ${SECRET}` }), { access: 'token needed' })
  assert.deepEqual(await accessOf(port, { cookie }), { access: 'granted' })
})

test('waiting ends, sessions end, and neither grows without bound', () => {
  let now = 0
  const gatekeeper = new Gatekeeper(token, false, () => now)
  gatekeeper.nameCookie(8080)
  const from = (remoteAddress: string, headers: Record<string, string> = {}): IncomingMessage => ({ socket: { remoteAddress }, headers }) as unknown as IncomingMessage
  for (let i = 0; i < 10; i++) assert.equal(gatekeeper.login(from('192.0.2.1'), 'incorrect-horse-battery-staple'), undefined)
  assert.equal(gatekeeper.login(from('192.0.2.1'), SECRET), undefined)
  const cookie = gatekeeper.login(from('192.0.2.2'), SECRET)?.split(';')[0] ?? ''
  assert.ok(gatekeeper.admits(from('192.0.2.3', { cookie })), 'another address does not wait')
  now = 999
  assert.equal(gatekeeper.login(from('192.0.2.1'), SECRET), undefined)
  now = 1000
  assert.ok(gatekeeper.login(from('192.0.2.1'), SECRET), 'a second later')
  // A program behind the same tunnel that repeats a wrong token every two seconds keeps nobody out; one that guesses gets one a second.
  for (; now < 100_000; now += 2000) assert.equal(gatekeeper.login(from('192.0.2.1'), 'incorrect-horse-battery-staple'), undefined)
  assert.ok(gatekeeper.login(from('192.0.2.1'), SECRET))
  let checked = 0
  for (; now < 200_000; now += 10) {
    if (gatekeeper.mustWait(from('192.0.2.4'))) continue
    checked++
    gatekeeper.login(from('192.0.2.4'), 'incorrect-horse-battery-staple')
  }
  assert.ok(checked >= 108 && checked <= 110, `${checked} guesses in a hundred seconds`)
  for (let i = 0; i < 255; i++) gatekeeper.login(from('192.0.2.2'), SECRET)
  assert.ok(!gatekeeper.admits(from('192.0.2.2', { cookie })), 'the oldest of 257 sessions')
  const late = gatekeeper.login(from('192.0.2.2'), SECRET)?.split(';')[0] ?? ''
  now += 7 * 24 * 3600 * 1000 - 1
  assert.ok(gatekeeper.admits(from('192.0.2.2', { cookie: late })))
  now += 1
  assert.ok(!gatekeeper.admits(from('192.0.2.2', { cookie: late })))
})

test('on loopback, the page goes by no name that somebody may have made mean this machine', async (t) => {
  const { port } = await served(t)
  for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, '127.0.0.1', `[::1]:${port}`, 'LOCALHOST', '127.1.2.3:1']) {
    assert.equal((await ask(port, 'GET', '/session', { host })).status, 200, host)
  }
  for (const host of [`rebound.example:${port}`, 'localhost.example', '127.0.0.1.example', '192.0.2.1', '2130706433', 'localhost@example', '[::ffff:1', 'x:y']) {
    for (const path of ['/', '/session', '/page.js']) assert.equal((await ask(port, 'GET', path, { host })).status, 403, host)
    assert.equal(await new Viewer(port, { host }).refused, 403, host)
  }
  assert.match(await answerTo(port, 'GET / HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 403 [^]*The header Host is missing/)
  assert.match((await ask(port, 'GET', '/', { host: 'rebound.example' })).body, /open it as localhost or 127\.0\.0\.1, not as rebound\.example/)
})

test('beyond loopback, the page goes by any name', async (t) => {
  const { port } = await served(t, { host: '0.0.0.0', token })
  for (const host of ['trainer.example:8080', 'my_trainer:8080']) assert.equal((await ask(port, 'GET', '/', { host })).status, 200)
})

test("another origin's page neither connects nor posts", async (t) => {
  const { port } = await served(t)
  const host = `localhost:${port}`
  for (const origin of ['http://evil.example', `http://127.0.0.1:${port}`, 'http://localhost', 'http://localhost:1', 'null', 'file://', 'nonsense']) {
    assert.equal((await ask(port, 'POST', '/predict?run=0', { host, origin }, 'photograph')).status, 403, origin)
    assert.equal((await ask(port, 'POST', '/login', { host, origin }, right)).status, 403, origin)
    assert.equal(await new Viewer(port, { host, origin }).refused, 403, origin)
  }
  const own = { host, origin: `http://${host}` }
  assert.equal((await ask(port, 'POST', '/predict?run=0', own, 'photograph')).status, 200)
  await new Viewer(port, own).received(1)
  assert.equal((await ask(port, 'POST', '/predict?run=0', { host: 'localhost', origin: 'http://localhost' }, 'photograph')).status, 200, 'the port of the scheme is in neither')
  assert.equal((await ask(port, 'POST', '/predict?run=0', { host: 'localhost:443', origin: 'https://localhost' }, 'photograph')).status, 200, 'or in one')
})

test('with a certificate, the page is served by HTTPS, and its cookie goes by nothing else', async (t) => {
  const { files } = await makeCertificates([], 1, new Date())
  const [ca, cert, key] = ['ca.crt', 'coordinator.crt', 'coordinator.key'].map((name) => Buffer.from(files.get(name) ?? ''))
  const { port } = await served(t, { token, tls: { identity: { cert, key }, ca: undefined } })
  const { status, cookie } = await new Promise<{ status: number; cookie: string }>((resolve, reject) => {
    const request = https.request({ host: '127.0.0.1', port, method: 'POST', path: '/login', ca, agent: false }, (response) => {
      response.resume()
      resolve({ status: response.statusCode ?? 0, cookie: String(response.headers['set-cookie']) })
    })
    request.on('error', reject)
    request.end(right)
  })
  assert.equal(status, 204)
  assert.match(cookie, new RegExp(`^__Host-herd-${port}=.*; Secure$`))
})
