import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import http2 from 'node:http2'
import net, { type AddressInfo } from 'node:net'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { addressOf, Program, run, type Ended } from '../support/processes.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

/** Tests of access with real processes: tokens, TLS and mutual TLS; and of a token being visible nowhere. */
let workspace: Workspace
let data: string
/** Digest of the first run that ended. */
let digest: string | undefined
const TOKEN = 'correct-horse-battery-staple'
const training = ['--model', 'tiny', '--image-size', '32', '--batch', '16', '--epochs', '1', '--test-fraction', '0.5', '--engine', 'wasm', '--seed', '5']

function coordinator(out: string, options: string[], environment: Record<string, string> = {}): Program {
  return new Program('coordinator', ['--data', data, '--out', workspace.path(out), '--listen', '127.0.0.1:0', ...training, ...options], { ...workspace.environment, ...environment })
}

/** Runs a worker with one second of patience; a worker that is refused ends at once anyway. */
function worker(address: string, options: string[], environment: Record<string, string> = {}): Promise<Ended> {
  return run('worker', ['--coordinator', address, '--data', data, '--patience', '1', ...options], { ...workspace.environment, ...environment })
}

const certificate = (set: string, name: string): string[] => ['--tls-cert', workspace.path(set, `${name}.crt`), '--tls-key', workspace.path(set, `${name}.key`)]
const authority = (set: string): string[] => ['--tls-ca', workspace.path(set, 'ca.crt')]

function complains(ended: Ended, message: RegExp): void {
  assert.equal(ended.code, 1, ended.stderr)
  assert.match(ended.stderr, message)
  assert.doesNotMatch(ended.stderr, /^\s+at /m, 'no stack trace')
}

/** Asserts that the run goes on to its end with a good worker, and has the same weights. */
async function finishes(main: Program, out: string, options: string[], environment: Record<string, string> = {}): Promise<void> {
  const good = await worker(await addressOf(main), options, environment)
  assert.equal(good.code, 0, good.stderr)
  const ended = await main.ended
  assert.equal(ended.code, 0, ended.stderr)
  await agrees(out)
}

/** Asserts that the weights are those of the first run: they do not depend on the workers that were turned away. */
async function agrees(out: string): Promise<void> {
  const found = (await summaryOf(workspace.path(out))).digest
  assert.equal(found, (digest ??= found))
}

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 10)
  await writeFile(workspace.path('token'), `${TOKEN}\n`)
  const sets = ['certs', 'others'].map((set) => run('herd', ['certs', '--out', workspace.path(set), '--host', '192.0.2.10']))
  for (const ended of await Promise.all(sets)) assert.equal(ended.code, 0, ended.stderr)
})
after(() => workspace.remove())

test('listening beyond this machine is refused with exit code 2, before anything is written', async () => {
  const ended = await coordinator('open', ['--listen', '0.0.0.0:0']).ended
  assert.equal(ended.code, 2)
  assert.match(ended.stderr, /^error: --listen 0\.0\.0\.0:0: whoever reaches this port could join\. Set a token/)
  assert.ok(!(await readdir(workspace.folder)).includes('open'))
})

test('where a token is asked for, a worker without it or with another one is refused at once, and one with it takes part', async () => {
  const main = coordinator('with-token', ['--token-file', workspace.path('token')])
  const address = await addressOf(main)
  const [without, another, tls] = await Promise.all([
    worker(address, ['--patience', '600']),
    worker(address, ['--patience', '600'], { HERD_TOKEN: 'incorrect-horse-battery-staple' }),
    worker(address, authority('certs')),
  ])
  complains(without, /error: the coordinator refuses this worker: this coordinator asks for a token: give it by HERD_TOKEN or --token-file/)
  complains(another, /error: the coordinator refuses this worker: the token is not that of this coordinator/)
  complains(tls, /the coordinator does not use TLS, which --tls-ca asks for/)
  await finishes(main, 'with-token', [], { HERD_TOKEN: TOKEN })
})

test('by TLS a worker knows its coordinator: without --tls-ca or with that of another cluster it does not connect, and says why', async () => {
  const main = coordinator('tls', certificate('certs', 'coordinator'))
  const address = await addressOf(main)
  const [plain, stranger] = await Promise.all([worker(address, []), worker(address, authority('others'))])
  complains(plain, /the coordinator closes the connection at once: if it uses TLS, give --tls-ca/)
  complains(stranger, /the coordinator's certificate is not of the authority in --tls-ca/)
  await finishes(main, 'tls', authority('certs'))
})

test("a certificate of the cluster that is not a coordinator's does not pass for one", async (t) => {
  const [cert, key] = await Promise.all(['worker.crt', 'worker.key'].map((name) => readFile(workspace.path('certs', name))))
  const impostor = http2.createSecureServer({ cert, key })
  t.after(() => impostor.close())
  await new Promise<void>((resolve) => impostor.listen(0, '127.0.0.1', resolve))
  const { port } = impostor.address() as AddressInfo
  complains(await worker(`127.0.0.1:${port}`, authority('certs')), /the certificate that the coordinator shows is not one of a coordinator/)
})

test('by mutual TLS a coordinator knows its workers: those without a certificate of its authority do not get in', async () => {
  const main = coordinator('mutual', [...certificate('certs', 'coordinator'), ...authority('certs')])
  const address = await addressOf(main)
  const [none, stranger] = await Promise.all([worker(address, authority('certs')), worker(address, [...authority('certs'), ...certificate('others', 'worker')])])
  complains(none, /the coordinator asks for a certificate: give --tls-cert and --tls-key/)
  complains(stranger, /the certificate in --tls-cert may be of another authority than it asks for/)
  await finishes(main, 'mutual', [...authority('certs'), ...certificate('certs', 'worker')])
})

test('a worker goes by the name in its certificate; one that is denied later is out, and the others finish', async () => {
  const added = await run('herd', ['certs', '--out', workspace.path('certs'), '--worker', 'gpu1'])
  assert.equal(added.code, 0, added.stderr)
  await writeFile(workspace.path('denied'), '# nobody yet\n')
  const main = coordinator('named', ['--workers', '2', '--deny', workspace.path('denied'), ...certificate('certs', 'coordinator'), ...authority('certs')])
  const address = await addressOf(main)
  const own = [...authority('certs'), ...certificate('certs', 'gpu1')]
  complains(await worker(address, ['--name', 'gpu2', ...own]), /its certificate is that of gpu1, and it calls itself gpu2: leave --name out/)
  const denied = worker(address, own)
  await main.said(/worker gpu1 joined/)
  await writeFile(workspace.path('denied'), 'gpu1 # it has left the lab\n')
  complains(await denied, /error: the coordinator refuses this worker: gpu1 is in the list of those who may not take part \(--deny\)/)
  await main.said(/worker gpu1 is lost: gpu1 is in the list of those who may not take part/)
  const shared = [...authority('certs'), ...certificate('certs', 'worker')]
  const other = worker(address, [...shared, '--name', 'shared'])
  await main.said(/worker shared joined/)
  await finishes(main, 'named', shared)
  assert.equal((await other).code, 0)
})

test('tokens are exchanged while a run waits: who has a file of them follows it, and the old token lets in nobody', async () => {
  const [tokens, theirs] = ['tokens', 'theirs'].map((name) => workspace.path(name))
  await writeFile(tokens, `${TOKEN}\ngpu1 correct-horse-battery-of-gpu1\n`)
  await writeFile(theirs, 'gpu1 correct-horse-battery-of-gpu1\n')
  const main = coordinator('rotated', ['--workers', '2', '--token-file', tokens])
  const address = await addressOf(main)
  const gpu1 = new Program('worker', ['--coordinator', address, '--name', 'a', '--patience', '1', '--token-file', theirs], workspace.environment)
  await main.said(/worker a joined/)
  await writeFile(tokens, `new-horse-battery-staple\ngpu1 correct-horse-battery-of-gpu1\ngpu1 new-horse-battery-of-gpu1\n`)
  await main.said(/--token-file .*tokens has changed, and is in force: 3 tokens/)
  await writeFile(theirs, 'new-horse-battery-of-gpu1\n')
  await gpu1.said(/--token-file .*theirs has changed/)
  await writeFile(tokens, 'new-horse-battery-staple\ngpu1 new-horse-battery-of-gpu1\n')
  await main.said(/--token-file .*tokens has changed, and is in force: 2 tokens/)
  complains(await worker(address, [], { HERD_TOKEN: TOKEN }), /the token is not that of this coordinator/)
  // From now on the first worker fetches its images, with the token of the moment.
  await finishes(main, 'rotated', [], { HERD_TOKEN: 'new-horse-battery-staple' })
  assert.equal((await gpu1.ended).code, 0)
  assert.doesNotMatch(main.stderr, /is lost/)
})

test('a run that starts its workers itself lets in nobody else, and may be watched', async () => {
  const main = coordinator('alone', ['--local-workers', '1', '--epochs', '1000'])
  const address = await addressOf(main)
  await main.said(/epoch +1\/1000/)
  for (const environment of [{}, { HERD_TOKEN: TOKEN }]) complains(await worker(address, [], environment), /error: the coordinator refuses this worker: this run starts its workers itself, with --local-workers: to let others in, give it a token/)
  const top = await run('herd', ['top', '--coordinator', address, '--once'], workspace.environment)
  assert.equal(top.code, 0, top.stderr)
  assert.match(top.stdout, /local-1/)
  assert.equal((await main.stop('SIGTERM')).code, 143)
})

test('a proxy of the environment is not asked: connections go straight to the coordinator', async (t) => {
  let asked = 0
  const proxy = net.createServer((socket) => {
    asked++
    socket.destroy()
  })
  t.after(() => proxy.close())
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  const environment = { http_proxy: url, https_proxy: url, grpc_proxy: url, HTTP_PROXY: url, no_proxy: '', HERD_TOKEN: '' }
  const main = coordinator('proxy', [], environment)
  await finishes(main, 'proxy', [], environment)
  assert.equal(asked, 0)
})

test('a worker without a file that it names is told by its option', async () => {
  const ended = await worker('127.0.0.1:1', ['--tls-ca', workspace.path('absent.crt')])
  assert.equal(ended.code, 2, ended.stderr)
  assert.match(ended.stderr, /^error: --tls-ca .*absent\.crt cannot be read/)
})

test('the token of a run shows in no output, no file of the run and no command line, and local workers get it all the same', async () => {
  const main = coordinator('silent', ['--local-workers', '2', '--verbose', '--metrics-port', '0', ...certificate('certs', 'coordinator'), ...authority('certs')], { HERD_TOKEN: TOKEN })
  await main.said(/worker local-2 joined|worker local-1 joined[^]*worker local-\d joined/)
  // The run may end while another worker starts.
  const commandLines = await allCommandLines()
  const refused = await worker(await addressOf(main), [...authority('certs'), ...certificate('certs', 'worker'), '--verbose'], { HERD_TOKEN: 'incorrect-horse-battery-staple' })
  assert.equal(refused.code, 1)
  const ended = await main.ended
  assert.equal(ended.code, 0, ended.stderr)
  await agrees('silent')

  assert.ok(commandLines.filter((line) => line.includes('local-')).length >= 2, 'the local workers are among them')
  const files = await filesOf(workspace.path('silent'))
  assert.ok(files.size > 8)
  for (const [where, text] of [...files, ['the command lines', commandLines.join('\n')], ['what the coordinator said', ended.stdout + ended.stderr], ['what a refused worker said', refused.stdout + refused.stderr]]) {
    assert.ok(!text.includes('horse'), where)
  }
})

/** Command lines and titles of every process of this machine; a process may end while it is looked at. */
async function allCommandLines(): Promise<string[]> {
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const read = (file: string): Promise<string> => readFile(file, 'latin1').catch(() => '')
  return Promise.all(processes.map(async (pid) => `${await read(`/proc/${pid}/cmdline`)} ${await read(`/proc/${pid}/comm`)}`))
}

async function filesOf(folder: string): Promise<Map<string, string>> {
  const entries = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name))
  return new Map(await Promise.all(entries.map(async (file): Promise<[string, string]> => [file, await readFile(file, 'latin1')])))
}
