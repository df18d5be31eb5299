import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ROOT } from '../../shared/kit/project.ts'
import { Program } from '../support/processes.ts'
import { createWorkspace, type Workspace } from '../support/workspace.ts'
import { herdIn, makeCheckpoint, makeImage } from './fixture.ts'

const withoutCurl = spawnSync('curl', ['--version']).status === 0 ? false : 'there is no curl here'

describe('herd serve', () => {
  let workspace: Workspace
  let herd: ReturnType<typeof herdIn>
  let checkpoint: string
  let image: string
  const started: Program[] = []

  before(async () => {
    workspace = await createWorkspace()
    herd = herdIn(workspace)
    checkpoint = await makeCheckpoint(workspace.path('random.ckpt'))
    image = await makeImage(workspace.path('photo.jpg'), '#e02010')
  })
  after(async () => {
    await Promise.all(started.map((program) => program.stop()))
    await workspace.remove()
  })

  async function serve(args: readonly string[] = [], environment: Record<string, string> = {}): Promise<{ program: Program; url: string }> {
    const program = new Program('herd', ['serve', '--checkpoint', checkpoint, '--engine', 'wasm', '--listen', '127.0.0.1:0', ...args], { ...workspace.environment, ...environment })
    started.push(program)
    const [, url] = await program.said(/serving tiny \(3 classes\) at (http:\S+)\n/)
    return { program, url }
  }

  it("answers as `herd predict` does, also to the documentation's commands, until SIGTERM, which is no failure", async (t) => {
    const { program, url } = await serve()
    const { stdout } = await herd(['predict', '--checkpoint', checkpoint, '--engine', 'wasm', '--json', '--top', '3', image])
    const { top } = JSON.parse(stdout) as { top: { class: string; name: string; probability: number }[] }
    // Rounding depends on the size of the batch that an image is in; the batch is one here.
    const response = await fetch(new URL('v1/classify', url), { method: 'POST', headers: { 'content-type': 'image/jpeg' }, body: new Uint8Array(await readFile(image)) })
    const answer: unknown = await response.json()
    assert.deepEqual(answer, { step: 1, epoch: 1, classes: top })
    if (withoutCurl === false) {
      const page = await readFile(path.join(ROOT, 'docs/serve.md'), 'utf8')
      const commands = [...page.matchAll(/^curl .*$/gm)].map(([command]) => command.replace('http://127.0.0.1:8000/', url))
      assert.equal(commands.length, 2)
      const answers = commands.map((command) => JSON.parse(spawnSync('sh', ['-c', command], { cwd: workspace.folder, encoding: 'utf8' }).stdout) as unknown)
      assert.deepEqual(answers, [{ step: 1, epoch: 1, classes: top }, { step: 1, epoch: 1, classes: top.slice(0, 2) }])
    } else t.diagnostic(withoutCurl)
    const { code, stderr, stdout: said } = await program.stop('SIGTERM')
    assert.deepEqual({ code, stderr, said }, { code: 0, stderr: '', said: `serving tiny (3 classes) at ${url}\n` })
  })

  it('refuses an open door, and a network that gives no numbers', async () => {
    const diverged = await makeCheckpoint(workspace.path('diverged.ckpt'), ({ parameters }) => parameters.fill(Number.NaN))
    const cases: [args: string[], code: number, says: RegExp][] = [
      [['--checkpoint', checkpoint, '--listen', '0.0.0.0:0'], 2, /^error: --listen 0\.0\.0\.0: whoever reaches the port could have images classified\. Set a token/],
      [['--checkpoint', checkpoint, '--listen', '8000'], 2, /^error: --listen 8000: expected HOST:PORT/],
      [['--checkpoint', diverged, '--engine', 'wasm'], 1, /^error: .*diverged\.ckpt gives no numbers: its training diverged/],
    ]
    for (const [args, expected, says] of cases) {
      const { code, stdout, stderr } = await herd(['serve', ...args])
      assert.equal(code, expected, stderr)
      assert.match(stderr, says)
      assert.equal(stdout, '')
    }
  })
})
