import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { briefSchema, type RunBrief } from '../../live/view.ts'
import { addressOf, Program, run } from '../support/processes.ts'
import { TerminalProgram, withoutTerminal } from '../support/terminal.ts'
import { createWorkspace, drawAnimals, type Workspace } from '../support/workspace.ts'

/** Tests of `herd top` beside a real coordinator with real workers. */
const TOKEN = 'correct-horse-battery-staple'
const training = ['--model', 'tiny', '--image-size', '32', '--batch', '16', '--test-fraction', '0.5', '--engine', 'wasm', '--seed', '5']

let workspace: Workspace
let data: string
let main: Program
let address: string

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 10)
  main = start('watched', '--local-workers', '2', '--epochs', '100000')
  address = await addressOf(main)
  await main.said(/epoch +1\//)
})
after(async () => {
  await main.stop('SIGTERM')
  await workspace.remove()
})

/** Starts a run that is watched. It never ends by itself, so it steps back behind all other tests. */
function start(out: string, ...options: string[]): Program {
  return new Program('coordinator', ['--data', data, '--out', workspace.path(out), '--listen', '127.0.0.1:0', ...training, ...options], { ...workspace.environment, HERD_TOKEN: TOKEN }, ['nice'])
}

const top = (...options: string[]): string[] => ['top', '--coordinator', address, ...options]
const environment = (): Record<string, string> => ({ ...workspace.environment, HERD_TOKEN: TOKEN })

test('--once --json prints how the run is, and ends', async () => {
  const { code, stdout, stderr } = await run('herd', top('--once', '--json'), environment())
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  const lines = stdout.trimEnd().split('\n')
  assert.equal(lines.length, 1)
  const brief: RunBrief = briefSchema.parse(JSON.parse(lines[0]))
  assert.equal(brief.facts.name, 'watched')
  assert.match(brief.state, /^(training|evaluating)$/)
  assert.deepEqual(brief.members.map(({ name }) => name).sort(), ['local-1', 'local-2'])
  assert.ok(brief.progress.step > 0 && brief.lastStep !== null && brief.lastEpoch !== null)
  assert.ok(brief.members.every(({ images, residentBytes }) => images > 0 && residentBytes > 0), stdout)
})

test('--once prints the picture', async () => {
  const { code, stdout, stderr } = await run('herd', top('--once'), environment())
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  assert.match(stdout, /watched {2}(training|testing)[^]*\nepoch \d+\/100000 {2}[█░]{30} {2}step \d+\/\d+[^]*\nloss \d[^]*\nWORKER +STATE[^]*\nlocal-1 +\w+ [^]*\nlocal-2 /)
})

test('where the output is no terminal there is one line or one object each time, as often as asked', async () => {
  const [lines, objects] = [top('--interval', '0.25'), top('--interval', '0.25', '--json')].map((args) => new Program('herd', args, environment()))
  await lines.said(/(^(training|testing \S+|evaluating) {2}epoch \d+\/100000 {2}step \d+\/\d+ {2}loss [^\n]* 2 workers[^\n]*\n){3}/m)
  // This waits until the run has gone on.
  await objects.said(/"stepInEpoch":\d+,"step":(\d+),[^]*"stepInEpoch":\d+,"step":(?!\1,)[^]*\n/)
  const [{ code }, { code: interrupted, stdout }] = [await lines.stop('SIGINT'), await objects.stop('SIGTERM')]
  assert.deepEqual([code, interrupted], [0, 143])
  const briefs = stdout.trimEnd().split('\n').map((line) => briefSchema.parse(JSON.parse(line)))
  assert.ok(briefs.at(-1)!.progress.step > briefs[0].progress.step, 'the run goes on')
})

test('on a terminal the table stands still and changes, fits when the size changes, and q ends it', { skip: withoutTerminal }, async () => {
  const program = new TerminalProgram('herd', top(), environment(), { rows: 24, columns: 120 })
  await program.said(/\u001b\[\?1049h/)
  await program.said(/WORKER +STATE +NOW +LANES +IMAGES\/S[^]*local-1[^]*local-2/)
  await program.said(/([^]*WORKER +STATE){3}/)
  const before = program.stdout.length
  program.resize(5, 40)
  const [frame] = await said(program, before, /\u001b\[H((?!\u001b\[H)[^])*?\u001b\[J/)
  assert.equal(frame.split('\r\n').length, 5, JSON.stringify(frame))
  for (const line of frame.replaceAll(/\u001b\[[0-9;?]*[a-zA-Z]/g, '').split('\r\n')) assert.ok([...line].length <= 40, line)
  program.press('q')
  const { code, stdout } = await program.ended
  assert.equal(code, 0)
  assert.match(stdout, /\u001b\[\?25h\u001b\[\?1049l[^]*watched {2}(training|testing)/, 'the terminal is as before, with the last picture on it')
})

test('Ctrl-C ends it too', { skip: withoutTerminal }, async () => {
  const program = new TerminalProgram('herd', top(), environment())
  await program.said(/local-2/)
  program.press('\u0003')
  const { code, stdout } = await program.ended
  assert.equal(code, 0)
  assert.match(stdout, /\u001b\[\?1049l/)
})

test('what keeps it from watching is said in one sentence', async () => {
  const wrong: [args: string[], token: string | undefined, says: RegExp][] = [
    [['top', '--coordinator', '127.0.0.1:1', '--once'], TOKEN, /^error: the coordinator at 127\.0\.0\.1:1 cannot be watched: the coordinator cannot be reached: nothing listens there\.\n$/],
    [top(), undefined, /^error: [^\n]* cannot be watched: this coordinator asks for a token: give it by HERD_TOKEN or --token-file\.\n$/],
    [top(), 'incorrect-horse-battery-staple', /^error: [^\n]* the token is not that of this coordinator[^\n]*\n$/],
    [top('--interval', '0.1'), TOKEN, /^error: --interval 0\.1: expected a number from 0\.25 to 3600\.\n$/],
    [['top', '--tls-cert', 'x.crt'], TOKEN, /^error: --tls-cert x\.crt needs --tls-ca/],
  ]
  await Promise.all(wrong.map(async ([args, token, says]) => {
    const { code, stdout, stderr } = await run('herd', args, token === undefined ? workspace.environment : { ...workspace.environment, HERD_TOKEN: token })
    assert.match(stderr, says)
    assert.deepEqual({ code, stdout }, { code: says.source.includes('cannot be watched') || says.source.includes('token is') ? 1 : 2, stdout: '' })
  }))
})

test('a coordinator that dies is waited for; a run that finishes ends it', async () => {
  const first = start('mortal', '--workers', '1', '--epochs', '100000')
  const listen = await addressOf(first)
  const worker = new Program('worker', ['--coordinator', listen, '--data', data], environment(), ['nice'])
  await first.said(/epoch +1\//)
  const watching = new Program('herd', ['top', '--coordinator', listen, '--interval', '0.25'], environment())
  await watching.said(/^training|^testing/m)
  await first.stop()
  await watching.said(/WARN: .*; trying again\./)
  const seen = watching.stdout.length
  const second = new Program('coordinator', ['--data', data, '--out', workspace.path('again'), '--listen', listen, ...training, '--workers', '1', '--epochs', '3'], environment())
  const [ended, { code }] = await Promise.all([second.ended, watching.ended, worker.ended])
  assert.equal(ended.code, 0, ended.stderr)
  assert.equal(code, 0, watching.stderr)
  assert.match(watching.stdout.slice(seen), /^finished {2}epoch 3\/3 /m)
  assert.equal(watching.stderr.match(/trying again/g)?.length, 1, watching.stderr)
})

/** Waits until the part of a program's standard output from index `from` on matches. */
async function said(program: Program, from: number, pattern: RegExp): Promise<RegExpMatchArray> {
  for (let until = from; ; until = program.stdout.length) {
    const match = program.stdout.slice(from).match(pattern)
    if (match !== null) return match
    await program.said(new RegExp(`^[^]{${until + 1}}`))
  }
}
