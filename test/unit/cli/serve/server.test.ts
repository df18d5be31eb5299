import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PhotoPrediction } from '../../../../live/view.ts'
import { deferred } from '../../../../shared/kit/async.ts'
import { Token } from '../../../../shared/security/token.ts'
import { CLASSES, makeCheckpoint, makeImage } from '../../../cli/fixture.ts'
import { createWorkspace, type Workspace } from '../../../support/workspace.ts'
import { ask, type Answer } from '../../live/served.ts'
import { ServedModel } from './served.ts'

/** Tests of the server of `herd serve`, with real sockets and a real compute process. */

const TOKEN = 'a-token-of-thirty-two-characters'

let workspace: Workspace
let model: ServedModel
let red: Buffer
let blue: Buffer

before(async () => {
  workspace = await createWorkspace()
  model = await ServedModel.open(await makeCheckpoint(workspace.path('random.ckpt')))
  red = await readFile(await makeImage(workspace.path('red.png'), '#e02010'))
  blue = await readFile(await makeImage(workspace.path('blue.jpg'), '#1020e0'))
})
after(async () => {
  await model.compute.close()
  await workspace.remove()
})

const classify = (port: number, body: Buffer | string, headers: Record<string, string> = { 'content-type': 'image/png' }, query = ''): Promise<Answer> => ask(port, 'POST', `/v1/classify${query}`, headers, body)
const errorOf = ({ body }: Answer): string => (JSON.parse(body) as { error: string }).error

function formOf(...files: Buffer[]): { headers: Record<string, string>; body: Buffer } {
  const parts = files.map((file) => Buffer.concat([Buffer.from('--edge\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\ncontent-type: image/png\r\n\r\n'), file, Buffer.from('\r\n')]))
  return { headers: { 'content-type': 'multipart/form-data; boundary=edge' }, body: Buffer.concat([...parts, Buffer.from('--edge\r\ncontent-disposition: form-data; name="note"\r\n\r\nhello\r\n--edge--\r\n')]) }
}


test('an image as a body or in a form is classified: the same answer alone and among others', async (t) => {
  const { server, metrics } = await model.serve()
  t.after(() => server.end())
  const { port } = server
  const answer = await classify(port, red)
  assert.equal(answer.status, 200, answer.body)
  const { step, epoch, classes } = JSON.parse(answer.body) as PhotoPrediction
  assert.deepEqual([step, epoch, classes.map(({ class: name }) => name).sort()], [1, 1, CLASSES])
  assert.ok(Math.abs(classes.reduce((sum, { probability }) => sum + probability, 0) - 1) < 1e-9)
  assert.ok(classes[0].probability >= classes[1].probability)
  const { headers, body } = formOf(red)
  assert.equal((await classify(port, body, headers)).body, answer.body)
  const few = JSON.parse((await classify(port, red, undefined, '?top=1')).body) as PhotoPrediction
  assert.deepEqual(few.classes, classes.slice(0, 1))
  const together = await Promise.all([red, blue, red, blue, red].map((image) => classify(port, image, { 'content-type': 'application/octet-stream' })))
  const probabilities = together.map((one) => Object.fromEntries((JSON.parse(one.body) as PhotoPrediction).classes.map(({ class: name, probability }) => [name, probability.toFixed(5)])))
  const alone = Object.fromEntries(classes.map(({ class: name, probability }) => [name, probability.toFixed(5)]))
  for (const index of [0, 2, 4]) assert.deepEqual(probabilities[index], alone)
  assert.notDeepEqual(probabilities[1], alone)
  const text = await metrics.registry.metrics()
  assert.match(text, /herd_serve_requests_total\{code="200"\} 8\n/)
  assert.match(text, /herd_serve_batch_images_sum 8\n/)
  assert.match(text, /herd_serve_queued_images 0\n/)
  assert.equal((await ask(port, 'GET', '/metrics')).body.includes('herd_serve_requests_total{code="200"} 8'), true)
})

test('what is no image, or is asked for wrongly, is refused with a reason', async (t) => {
  const { server } = await model.serve({ limits: { imageBytes: 2 ** 20 } })
  t.after(() => server.end())
  const { port } = server
  const two = formOf(red, blue)
  const cases: [Promise<Answer>, number, RegExp][] = [
    [classify(port, 'no image'), 400, /^The image cannot be decoded: Input buffer contains unsupported image format/],
    [classify(port, ''), 400, /^The image is empty/],
    [classify(port, red, { 'content-type': 'application/x-www-form-urlencoded' }), 415, /^The content type is application\/x-www-form-urlencoded: expected an image as the body/],
    [classify(port, red, {}), 415, /^The content type is missing/],
    [classify(port, two.body, two.headers), 400, /^The form has 2 files: expected one/],
    [classify(port, 'no form', two.headers), 400, /^The form cannot be read: /],
    [classify(port, red, undefined, '?top=0'), 400, /^top=0: expected a whole number of at least 1/],
    [classify(port, Buffer.alloc(2 ** 20 + 1)), 413, /^The image is too large: it may have 1 MiB/],
    [classify(port, red, { 'content-type': 'image/png', host: 'herd.example' }), 403, /^This page is served on this machine only/],
    [classify(port, red, { 'content-type': 'image/png', origin: 'https://elsewhere.example' }), 403, /^This comes from a page of another origin/],
  ]
  for (const [asked, status, says] of cases) {
    const answer = await asked
    assert.equal(answer.status, status, answer.body)
    assert.match(errorOf(answer), says)
  }
  assert.deepEqual([(await ask(port, 'GET', '/v1/classify')).status, (await ask(port, 'PUT', '/')).status, (await ask(port, 'GET', '/v2')).status], [405, 405, 404])
  assert.equal((await classify(port, red)).status, 200, 'it goes on')
})

test('the page, health and readiness are for everybody; the rest is for who has the token', async (t) => {
  const { server } = await model.serve({ options: { token: new Token(TOKEN, 'test') } })
  t.after(() => server.end())
  const { port } = server
  for (const path of ['/', '/page.js', '/page.css', '/icon.svg', '/healthz', '/readyz']) assert.equal((await ask(port, 'GET', path)).status, 200, path)
  assert.match((await ask(port, 'GET', '/page.js')).body, /v1\/classify/)
  assert.deepEqual([(await classify(port, red)).status, (await ask(port, 'GET', '/metrics')).status], [401, 401])
  const authorization = `Bearer ${TOKEN}`
  assert.equal((await classify(port, red, { 'content-type': 'image/png', authorization })).status, 200)
  assert.equal((await ask(port, 'GET', '/metrics', { authorization })).status, 200)
  const { status, headers } = await ask(port, 'POST', '/login', { 'content-type': 'application/json' }, JSON.stringify({ token: TOKEN }))
  assert.equal(status, 204)
  const [cookie] = String(headers['set-cookie']).split(';')
  assert.equal((await classify(port, red, { 'content-type': 'image/png', cookie })).status, 200)
})

test('as many images wait as may: others are told to come again; at the end those that wait are answered, and nothing new is taken', async () => {
  const gate = deferred<undefined>()
  const { server, metrics } = await model.serve({ queue: 3, gate })
  const { port } = server
  const queued = async (): Promise<number> => Number(/herd_serve_queued_images (\d+)/.exec(await metrics.registry.metrics())?.[1])
  const waiting = [red, blue, red].map((image) => classify(port, image))
  while ((await queued()) < 3) await sleep(5)
  const refused = await classify(port, red)
  assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '1'])
  assert.match(errorOf(refused), /^As many images wait as may/)
  assert.equal((await ask(port, 'GET', '/readyz')).status, 503)
  assert.equal((await ask(port, 'GET', '/healthz')).status, 200)
  let ended = false
  const end = server.end().then(() => (ended = true))
  await assert.rejects(classify(port, red), /ECONNREFUSED/)
  assert.equal(ended, false, 'it waits for what it has taken')
  gate.resolve(undefined)
  assert.deepEqual((await Promise.all(waiting)).map(({ status, headers }) => [status, headers['connection']]), [[200, 'close'], [200, 'close'], [200, 'close']])
  await end
})

test('bodies that are being received are bounded all together', async (t) => {
  const { server } = await model.serve({ limits: { bytesInHand: 1000 } })
  t.after(() => server.end())
  const small = Buffer.concat([red, Buffer.alloc(Math.max(0, 900 - red.length))])
  assert.equal((await classify(server.port, Buffer.alloc(1001))).status, 503)
  assert.equal((await classify(server.port, small.subarray(0, 900))).status, 200)
  assert.equal((await classify(server.port, small.subarray(0, 900))).status, 200, 'room is given back')
})

test('a compute process that dies is started again, and nobody is the wiser', async (t) => {
  const { server } = await model.serve()
  t.after(() => server.end())
  const before = await classify(server.port, red)
  process.kill((await model.compute.pid()) ?? 0, 'SIGKILL')
  const again = await classify(server.port, red)
  assert.deepEqual([again.status, again.body], [200, before.body])
  assert.equal(model.compute.restarts, 1)
  assert.match(model.told.join(), /the compute process ended by SIGKILL\. It is started again\./)
})

test('when nothing can be computed any more, it is told', async (t) => {
  const other = await ServedModel.open(workspace.path('random.ckpt'))
  const { server, failed } = await other.serve()
  t.after(() => server.end())
  await other.compute.close()
  const answer = await classify(server.port, red)
  assert.equal(answer.status, 500)
  assert.match((await failed).message, /the compute process was closed/)
})
