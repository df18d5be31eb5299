import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import http from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'
import { after, before, test } from 'node:test'
import { Server, ServerCredentials, status, type ServerDuplexStream, type ServerWritableStream } from '@grpc/grpc-js'
import pMap from 'p-map'
import { layoutOf } from '../../shared/model/layout.ts'
import { manifestParts, type ManifestSource } from '../../shared/data/manifest.ts'
import { Samples, type Sample } from '../../shared/data/columns/samples.ts'
import { defaultTransforms } from '../../shared/data/transforms/transforms.ts'
import { buildNetwork } from '../../shared/model/models.ts'
import { herdService } from '../../shared/wire/service.ts'
import type { RunDescription } from '../../shared/wire/run_description.ts'
import { Program } from '../support/processes.ts'
import { createWorkspace, type Workspace } from '../support/workspace.ts'
import { article } from '../../shared/recipe/presets.ts'

/** Tests of a real worker whose coordinator is something else, or violates the protocol: the worker ends, and says why. */
let workspace: Workspace
before(async () => {
  workspace = await createWorkspace()
})
after(() => workspace.remove())

/** Time after which a worker counts as hanging: the slowest waits ten seconds for a welcome. */
const HANG_MS = 90_000

type Control = ServerDuplexStream<Record<string, unknown>, unknown>
type Answer = ServerWritableStream<unknown, unknown>

/** Behaviour of a coordinator in each call; by default, it keeps to the protocol. */
interface Script {
  control?: (call: Control, hello: () => void) => void
  weights?: (call: Answer) => void
  manifest?: (call: Answer) => void
  images?: (call: Answer) => void
}

const image = Buffer.from('no image at all')
const sha256 = createHash('sha256').update(image).digest('hex')
const network = buildNetwork('tiny', { imageSize: 8, classes: 2 })
const description: RunDescription = {
  ...article, name: 'run', network, ...defaultTransforms(network), engine: 'wasm', precision: 'f32', threads: 1, seed: 0, batch: 2, lanes: 2, datasetDigest: '0'.repeat(64), compress: 'none', compressWeights: 'none', trace: false,
}
const sample = (path: string, split: 'train' | 'test'): Sample => ({ path, class: 0, sha256, bytes: image.length, split })
const dataset: ManifestSource = { classes: ['a', 'b'], samples: Samples.of([sample('a/1.png', 'train'), sample('a/2.png', 'train'), sample('a/3.png', 'test')]), digest: description.datasetDigest, testFraction: 0.2, skipped: [] }

const welcome = (described: unknown = description): object => ({ welcome: { session: 's', runId: 'r', run: typeof described === 'string' ? described : JSON.stringify(described) } })
const deal = (changes: object = {}): object => ({ deal: { kind: 'TRAIN', round: 1, step: 0, epoch: 1, stepInEpoch: 0, attempt: 0, units: [0, 1], ...changes } })
const failure = (code: status, details: string): Error => Object.assign(new Error(details), { code, details })

/** Starts a gRPC server that follows the script. @returns its port */
async function serve(script: Script): Promise<{ port: number; close: () => void }> {
  const server = new Server({ 'grpc.max_send_message_length': -1 })
  const greet = (call: Control): void => void call.write(welcome())
  server.addService(herdService().service, {
    control: (call: Control) => {
      call.on('error', () => undefined)
      let greeted = false
      call.on('data', (message: Record<string, unknown>) => {
        if (message['message'] === 'hello' && script.control !== undefined) script.control(call, () => greet(call))
        else if (message['message'] === 'hello' && !greeted) greet(call)
        else if (message['message'] === 'ready') call.write(deal())
        greeted = true
      })
    },
    receiveWeights: (call: Answer) => script.weights?.(call),
    sendGradients: () => undefined,
    fetchManifest: (call: Answer) => {
      if (script.manifest !== undefined) return script.manifest(call)
      for (const part of manifestParts(dataset)) call.write(part)
      call.end()
    },
    fetchImages: (call: Answer) => script.images?.(call),
  })
  const port = await new Promise<number>((resolve, reject) => server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error === null ? resolve(bound) : reject(error))))
  return { port, close: () => server.forceShutdown() }
}

/** Lets any other server listen on a free port. */
async function listening(server: net.Server | http2.Http2Server): Promise<{ port: number; close: () => void }> {
  const sockets = new Set<net.Socket>()
  server.on('connection', (socket: net.Socket) => sockets.add(socket.on('error', () => undefined)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = (): void => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return { port: (server.address() as net.AddressInfo).port, close }
}

const says = (...messages: object[]): Script => ({ control: (call) => messages.forEach((message) => call.write(message)) })
const sendsManifest = (parts: Iterable<object>): Script => ({
  manifest: (call) => {
    for (const part of parts) call.write(part)
    call.end()
  },
})
const sendsWeights = (...chunks: object[]): Script => ({ weights: (call) => chunks.forEach((chunk) => call.write(chunk)) })
const nested = (depth: number): string => JSON.stringify({ ...description, network: { ...description.network, layers: ['deep'] } }).replace('"deep"', `${'{"type":"residual","shortcut":[],"layers":['.repeat(depth)}{"type":"relu"}${']}'.repeat(depth)}`)

const unreachable = /^error: --coordinator 127\.0\.0\.1:\d+: .* \(tried for 1 s\)\. Is the coordinator running, and is the address right\?$/m
const violation = (what: string): RegExp => new RegExp(`^error: ${what}`, 'm')

const strangers: [what: string, server: () => net.Server | http2.Http2Server, message: RegExp][] = [
  ['a port that says nothing', () => net.createServer(), unreachable],
  ['a port that closes at once', () => net.createServer((socket) => socket.destroy()), unreachable],
  ['noise', () => net.createServer((socket) => socket.write(Buffer.alloc(100_000, 0xa5))), unreachable],
  ['a web server', () => http.createServer((_, response) => response.end('<html>')), unreachable],
  ['a web server of HTTP/2', () => http2.createServer((_, response) => response.end('<html>')), unreachable],
]

const scripts: [what: string, script: Script, message: RegExp][] = [
  ['a service that knows no such call', { control: (call) => call.emit('error', failure(status.UNIMPLEMENTED, 'no such\u001b[2J call')) }, /no such \[2J call/],
  ['a refusal of its token in many lines', { control: (call) => call.emit('error', failure(status.UNAUTHENTICATED, 'no\nerror: disk full')) }, violation('the coordinator refuses this worker: no error: disk full$')],
  ['a refusal with control characters', says({ refused: { reason: 'a\u001b[31mb' } }), violation('a message of the coordinator is not as the protocol has it: refused.reason')],
  ['an empty message', says({}), violation('a message of the coordinator is not as the protocol has it: message')],
  ['a message that is too long', says(welcome('x'.repeat(1_500_000))), /larger than max/],
  ['a run that is no JSON', says(welcome('{')), violation("the coordinator's run is not valid JSON")],
  ['a run of nothing', says(welcome('null')), violation("the coordinator's run is not as the protocol has it")],
  ['a run nested without end', says(welcome(nested(4000))), violation("the coordinator's run ")],
  ['a network of billions of parameters', says(welcome({ ...description, network: { ...description.network, layers: [{ type: 'flatten' }, { type: 'dense', units: 2_000_000_000 }] } })), violation("the coordinator's run is not as the protocol has it: network: has \\d+ parameters")],
  ['a network whose layers do not fit', says(welcome({ ...description, network: { ...description.network, layers: [{ type: 'dense', units: 2 }] } })), violation("the coordinator's run is not as the protocol has it: network: layer dense needs a flat input")],
  ['billions of lanes', says(welcome({ ...description, lanes: 2_000_000_000 })), violation("the coordinator's run is not as the protocol has it: lanes")],
  ['a manifest without a head', sendsManifest([...manifestParts(dataset)].slice(1)), violation('the manifest of the coordinator does not begin with its head')],
  ['a manifest of more samples than there may be', sendsManifest([{ head: { digest: description.datasetDigest, classes: 2, samples: 4e9 } }]), violation('the manifest of the coordinator has 4000000000 samples')],
  ['a manifest without end', sendsManifest([...manifestParts(dataset), ...manifestParts(dataset)]), violation('the manifest of the coordinator has two heads')],
  ['a manifest of files outside its folder', sendsManifest(manifestParts({ ...dataset, samples: Samples.of([sample('../../etc/passwd', 'train'), sample('a/2.png', 'test')]) })), violation('the manifest of the coordinator has a path of sample 0')],
  ['a manifest of another data set', sendsManifest(manifestParts({ ...dataset, digest: '1'.repeat(64) })), violation('the manifest of the coordinator is of another data set')],
  ['reducers that leave a hole', says({ welcome: { session: 's', runId: 'r', run: JSON.stringify(description), reducers: [{ address: ':1', begin: 4, end: 8 }] } }), violation('the coordinator has a reducer for parameters 4 to 7')],
  ['weights that are no floats', sendsWeights({ version: 0, offset: 0, data: Buffer.alloc(3) }), violation('a chunk of weights.* of 3 bytes')],
  ['weights beyond the vector', sendsWeights({ version: 0, offset: 0, data: Buffer.alloc(1024 * 1024) }), violation('a chunk of weights.* of 1048576 bytes')],
  ['weights with a hole', sendsWeights({ version: 0, offset: 4, data: Buffer.alloc(4) }), violation('a chunk of weights.* at 4 does not follow 0 floats')],
  ['an image with other bytes', { weights: sendAllWeights, images: (call) => void call.write({ sample: 0, data: Buffer.from('others') }) }, violation('a/1\\.png came from the coordinator with other bytes|the coordinator sent sample 0, which was not asked for')],
  ['an image that was not asked for', { weights: sendAllWeights, images: (call) => void call.write({ sample: 2, data: image }) }, violation('the coordinator sent sample 2, which was not asked for')],
  ['fewer images than were asked for', { weights: sendAllWeights, images: (call) => call.end() }, violation('the coordinator did not send a/[12]\\.png')],
]

function sendAllWeights(call: Answer): void {
  call.write({ version: 0, offset: 0, data: Buffer.alloc(layoutOf(description.network).size * 4) })
}

async function meets(what: string, server: { port: number; close: () => void }, message: RegExp): Promise<void> {
  const worker = new Program('worker', ['--coordinator', `127.0.0.1:${server.port}`, '--patience', '1', '--cache', workspace.path('cache', what)], workspace.environment)
  const hang = setTimeout(() => worker.child.kill('SIGKILL'), HANG_MS)
  try {
    const ended = await worker.ended
    assert.equal(ended.code, 1, `${what}: ${ended.stderr}`)
    assert.match(ended.stderr, message, what)
    assert.doesNotMatch(ended.stderr, /unexpected error|^\s+at |\u001b/m, what)
  } finally {
    clearTimeout(hang)
    server.close()
  }
}

/** The workers of this test run all at the same time: each is a process, but does little but wait. */
test('a worker that meets something else than a coordinator tries for as long as its patience lasts, and says so', async () => {
  await pMap(strangers, async ([what, server, message]) => meets(what, await listening(server()), message), { concurrency: strangers.length })
})

test('a worker whose coordinator does not keep to the protocol ends with exit code 1 and the reason', async () => {
  await pMap(scripts, async ([what, script, message]) => meets(what, await serve(script), message), { concurrency: 3 })
})
