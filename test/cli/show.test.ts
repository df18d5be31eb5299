import assert from 'node:assert/strict'
import { on, once } from 'node:events'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { after, before, describe, it } from 'node:test'
import { unpack } from 'msgpackr'
import { WebSocket } from 'ws'
import { patched } from '../../live/patch.ts'
import { runViewSchema, type LiveMessage, type PhotoPrediction, type RunView } from '../../live/view.ts'
import { Program, run } from '../support/processes.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'
import { herdIn, makeImage } from './fixture.ts'

const TOKEN = 'correct-horse-battery-staple'
const options = ['--single-node', '--model', 'tiny', '--image-size', '32', '--batch', '16', '--engine', 'wasm', '--test-fraction', '0.5']

describe('herd show', () => {
  let workspace: Workspace
  let herd: ReturnType<typeof herdIn>
  let data: string
  let first: string
  const started: Program[] = []

  before(async () => {
    workspace = await createWorkspace()
    herd = herdIn(workspace)
    data = await drawAnimals(workspace.path('drawn'), 6)
    first = workspace.path('first')
    const { code, stderr } = await train('first', '2')
    assert.equal(code, 0, stderr)
  })
  after(async () => {
    await Promise.all(started.map((program) => program.stop()))
    await workspace.remove()
  })

  const train = (out: string, epochs: string, ...more: string[]): ReturnType<typeof run> =>
    run('coordinator', ['--data', data, '--out', workspace.path(out), '--epochs', epochs, ...options, ...more], workspace.environment)

  /** Starts `herd show` on a free port. */
  async function show(args: readonly string[], environment: Record<string, string> = {}): Promise<{ program: Program; url: string }> {
    const program = new Program('herd', ['show', ...args, '--http-port', '0'], { ...workspace.environment, ...environment })
    started.push(program)
    const [, url] = await program.said(/live page at (http:\S+)\n/)
    return { program, url }
  }

  /** Follows the page's messages until the view is as wanted. */
  async function watch(url: string, reached: (views: RunView[]) => boolean = () => true): Promise<{ live: boolean; views: RunView[] }> {
    const socket = new WebSocket(new URL('live', url.replace('http', 'ws')))
    let views: RunView[] = []
    let live = true
    for await (const [data] of on(socket, 'message') as AsyncIterable<[Buffer]>) {
      const message = unpack(data) as LiveMessage
      if (message.type === 'runs') ({ runs: views, live } = message)
      else views = views.map((view, run) => (run === message.run ? patched(view, message.patch) : view))
      if (reached(views)) break
    }
    socket.terminate()
    return { live, views }
  }

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`serves the page of a run until ${signal}, which is no failure`, async () => {
      const { program, url } = await show([first])
      assert.equal(new URL(url).hostname, '127.0.0.1')
      assert.match(await (await fetch(url)).text(), /<html/)
      const { live, views } = await watch(url)
      assert.equal(live, false)
      const [view] = views.map((one) => runViewSchema.parse(one))
      const summary = await summaryOf(first)
      assert.deepEqual([view.state, view.facts.name, view.history.length, view.summary], ['finished', 'first', 2, summary])
      assert.equal(view.evaluation?.confusion.flat().reduce((a, b) => a + b), view.facts.testImages)
      assert.equal(view.events.at(-1)?.kind, 'finished')
      const { code, stdout, stderr } = await program.stop(signal)
      assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: `live page at ${url}\n`, stderr: '' })
    })
  }

  it('classifies a photograph as `herd predict` does with the run\'s last checkpoint', async () => {
    const image = await makeImage(workspace.path('red.png'), '#e02010')
    const { stdout } = await herd(['predict', '--checkpoint', `${first}/checkpoints/latest.ckpt`, '--json', '--top', '10', image])
    const { url } = await show([first])
    const response = await fetch(new URL('predict?run=0', url), { method: 'POST', body: await readFile(image) })
    const { step, epoch, classes } = (await response.json()) as PhotoPrediction
    assert.deepEqual([response.status, step, epoch], [200, (await summaryOf(first)).steps, 2])
    assert.deepEqual(classes, (JSON.parse(stdout) as { top: unknown }).top)
    const wrong = await fetch(new URL('predict?run=0', url), { method: 'POST', body: 'no image' })
    assert.equal(wrong.status, 400)
    assert.match(((await wrong.json()) as { error: string }).error, /^The photograph cannot be decoded/)
  })

  it('shows several runs in their order, and one that goes on as it grows', async () => {
    await cp(first, workspace.path('copy'), { recursive: true })
    await rm(workspace.path('copy', 'evaluation.json'))
    const { url } = await show([workspace.path('copy'), first])
    const training = train('first', '4', '--resume', 'latest')
    const { views } = await watch(url, ([, second]) => second.state === 'finished' && second.history.length === 4)
    assert.deepEqual(views.map(({ facts, history, evaluation }) => [facts.name, history.length, evaluation?.epoch]), [['copy', 2, undefined], ['first', 4, 4]])
    assert.deepEqual(views[1].history.map(({ epoch }) => epoch), [1, 2, 3, 4])
    assert.ok(views[1].events.some(({ kind, text }) => kind === 'resumed' && /^Going on from .*: epoch 3, step 6\.$/.test(text)), JSON.stringify(views[1].events))
    assert.equal((await training).code, 0)
  })

  it('beyond this machine, asks for the token', async () => {
    const { program, url } = await show([first, '--http-host', '0.0.0.0'], { HERD_TOKEN: TOKEN })
    assert.deepEqual(await (await fetch(new URL('session', url))).json(), { access: 'token needed' })
    assert.deepEqual(await (await fetch(new URL('session', url), { headers: { authorization: `Bearer ${TOKEN}` } })).json(), { access: 'granted' })
    assert.match(program.stderr, /--http-host 0\.0\.0\.0 without TLS: the token, and what is looked at, travel in the clear/)
    assert.doesNotMatch(program.stdout + program.stderr, /horse/)
    const insecure = await show([first, '--http-host', '0.0.0.0', '--insecure'])
    assert.deepEqual(await (await fetch(new URL('session', insecure.url))).json(), { access: 'open' })
    assert.match(insecure.program.stderr, /whoever reaches this port can look at the runs/)
  })

  it('refuses what is no run, an open door, and a port that is in use', async () => {
    const empty = workspace.path('empty')
    await mkdir(empty)
    const damaged = workspace.path('damaged')
    await mkdir(damaged)
    await writeFile(`${damaged}/history.jsonl`, 'no JSON\n')
    const taken = net.createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as net.AddressInfo
    const cases: [args: string[], code: number, says: RegExp][] = [
      [[], 2, /missing required argument 'folder'/],
      [[first, empty], 2, /^error: .*empty has no run: expected the folder of a run, e\.g\. runs\/first/],
      [[workspace.path('nowhere')], 2, /^error: .*nowhere has no run/],
      [[damaged], 1, /^error: .*history\.jsonl, line 1, is not JSON/],
      [[first, '--http-host', '0.0.0.0'], 2, /^error: --http-host 0\.0\.0\.0: whoever reaches the port could look at the runs.* Set a token/],
      [[first, '--http-port', '70000'], 2, /^error: --http-port 70000: expected a whole number from 0 to 65535\./],
      [[first, '--http-port', String(port)], 1, new RegExp(`^error: --http-port ${port}: the port is in use`)],
      [[first, '--token-file', workspace.path('nowhere')], 2, /^error: --token-file .* cannot be read/],
    ]
    for (const [args, expected, says] of cases) {
      const { code, stdout, stderr } = await herd(['show', ...args])
      assert.equal(code, expected, `${args.join(' ')}\n${stderr}`)
      assert.match(stderr, says)
      assert.equal(stdout, '')
      assert.ok(stderr.trimEnd().split('\n').length <= 2, stderr)
    }
    taken.close()
  })
})
