import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { run } from '../support/processes.ts'
import { TerminalProgram, withoutTerminal } from '../support/terminal.ts'
import { createWorkspace, type Workspace } from '../support/workspace.ts'

let workspace: Workspace
before(async () => {
  workspace = await createWorkspace()
})
after(() => workspace.remove())

const draw = (out: string, ...more: string[]): string[] => ['data', 'draw', '--out', workspace.path(out), '--per-class', '12', ...more]
const train = (out: string, ...more: string[]): string[] =>
  ['--data', workspace.path('drawn', 'raw-img'), '--out', workspace.path(out), '--single-node', '--model', 'tiny', '--image-size', '256', '--batch', '16', '--epochs', '1', '--engine', 'wasm', '--test-fraction', '0.6', ...more]

test('on a terminal long work has bars: drawing, and an epoch with its evaluation', { skip: withoutTerminal }, async () => {
  const drawing = await new TerminalProgram('herd', draw('drawn'), workspace.environment).ended
  assert.equal(drawing.code, 0, drawing.stdout)
  assert.match(drawing.stdout, /drawing [^\n]*█+░+ \d+\/120 /)
  const training = await new TerminalProgram('coordinator', train('bars'), workspace.environment).ended
  assert.equal(training.code, 0, training.stdout)
  assert.match(training.stdout, /epoch 1 █*░* \d+\/\d+ {2}\d+\.\d images\/s, loss \d\.\d{4} /)
  assert.match(training.stdout, /testing █*░* \d+\/\d+/)
  assert.match(training.stdout, /epoch 1\/1 {2}train loss/)
  assert.doesNotMatch(training.stdout, /(NF|LL)s left/, 'a time that is not known is not told')
})

test('a bar is drawn neither with --quiet nor where the output is no terminal', { skip: withoutTerminal }, async () => {
  const quiet = await new TerminalProgram('herd', draw('quiet', '--quiet'), workspace.environment).ended
  assert.equal(quiet.code, 0, quiet.stdout)
  assert.doesNotMatch(quiet.stdout, /█|░|\u001b/)
  const piped = await run('herd', draw('piped'), workspace.environment)
  assert.equal(piped.code, 0, piped.stderr)
  assert.doesNotMatch(piped.stdout + piped.stderr, /█|░|\u001b/)
  assert.match(piped.stderr, /^(\[[\d:]+\] INFO: drawing [^\n]*: \d+ (of 120|in)[^\n]*\n)*$/, 'lines, if it took long enough')
})
