import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import { run, type Ended } from '../support/processes.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

let workspace: Workspace
let data: string
const training = ['--model', 'tiny', '--image-size', '32', '--batch', '16', '--epochs', '2', '--test-fraction', '0.5', '--engine', 'wasm', '--seed', '5', '--listen', '127.0.0.1:0']

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 6)
})
after(() => workspace.remove())

const recordSchema = z.looseObject({ level: z.enum(['debug', 'info', 'warn', 'error']), time: z.iso.datetime(), pid: z.int(), hostname: z.string(), msg: z.string().min(1) })
type LogRecord = z.infer<typeof recordSchema>

/** Parses every line of the outputs as a record of the log. @throws ZodError or SyntaxError if a line is anything else */
function recordsOf(...outputs: string[]): LogRecord[] {
  return outputs.flatMap((output) => output.split('\n').filter((line) => line !== '')).map((line) => recordSchema.parse(JSON.parse(line)))
}

function only(records: readonly LogRecord[], event: string): LogRecord[] {
  return records.filter((record) => record['event'] === event)
}

test('with --log-format json a coordinator and its workers say nothing that is no record', async () => {
  const ended = await run('coordinator', ['--data', data, '--out', workspace.path('json'), '--local-workers', '2', '--verbose', '--log-format', 'json', ...training], workspace.environment)
  assert.equal(ended.code, 0, ended.stderr)
  const records = recordsOf(ended.stdout, ended.stderr)
  assert.equal(ended.stdout, '', 'records go to standard error')
  assert.equal(new Set(records.map(({ pid }) => pid)).size, 3, 'the coordinator and two workers')

  const [started] = only(records, 'started')
  assert.equal(started['classes'] instanceof Array && started['classes'].length, 10)
  assert.equal(only(records, 'workerJoined').length, 2)
  const epochs = only(records, 'epoch')
  assert.deepEqual(epochs.map(({ epoch }) => epoch), [1, 2])
  const { digest, testLoss } = await summaryOf(workspace.path('json'))
  assert.equal(epochs[1]['testLoss'], testLoss)
  for (const field of ['trainLoss', 'trainAccuracy', 'testAccuracy', 'learningRate', 'images', 'seconds', 'imagesPerSecond', 'workers']) assert.equal(typeof epochs[0][field], 'number', field)
  assert.ok(records.some((record) => record['digest'] === digest), 'the end')
})

test('errors are records too, whatever stage they come from and wherever the format is asked for', async () => {
  const config = workspace.path('config.json')
  await writeFile(config, JSON.stringify({ logFormat: 'json' }))
  const wrong: [program: 'coordinator' | 'worker' | 'herd', args: string[], environment: Record<string, string>, exitCode: number, says: RegExp][] = [
    ['coordinator', ['--nonsense', '--log-format=json'], {}, 2, /^unknown option '--nonsense'/],
    ['coordinator', ['--data', data, '--epochs', 'x'], { HERD_LOG_FORMAT: 'json' }, 2, /^--epochs x: expected a whole number/],
    ['coordinator', ['--data', workspace.path('absent'), '--config', config], {}, 1, /absent does not exist/],
    ['worker', ['--coordinator', '127.0.0.1:1', '--patience', '0', '--log-format', 'json'], {}, 1, /127\.0\.0\.1:1/],
    ['herd', ['guess', '--log-format', 'json'], {}, 2, /^unknown command 'guess'/],
    ['herd', ['evaluate', '--checkpoint', 'none.ckpt', '--data', data, '--log-format', 'json'], {}, 1, /none\.ckpt/],
  ]
  const all = await Promise.all(wrong.map(async ([program, args, environment, exitCode, says]): Promise<[Ended, number, RegExp]> => [await run(program, args, { ...workspace.environment, ...environment }), exitCode, says]))
  for (const [{ code, stdout, stderr }, exitCode, says] of all) {
    assert.equal(code, exitCode, stderr)
    const last = recordsOf(stdout, stderr).at(-1)
    assert.equal(last?.level, 'error', stderr)
    assert.equal(last['exitCode'], exitCode)
    assert.match(last.msg, says)
    assert.ok(!('err' in last), 'no stack trace')
  }
})

test('with --verbose the record of an error has the stack trace', async () => {
  const { stderr } = await run('herd', ['data', 'check', workspace.path('absent'), '--verbose', '--log-format', 'json'], workspace.environment)
  const record = z.looseObject({ err: z.looseObject({ type: z.literal('DataError'), stack: z.string() }) }).parse(recordsOf(stderr).at(-1))
  assert.match(record.err.stack, /\n {4}at /)
})

test('for people there are no fields', async () => {
  const { code, stdout, stderr } = await run('coordinator', ['--data', data, '--out', workspace.path('pretty'), '--single-node', '--verbose', ...training], workspace.environment)
  assert.equal(code, 0, stderr)
  assert.match(stdout, /^epoch 2\/2 {2}train loss \d/m)
  assert.match(stderr, /^\[\d\d:\d\d:\d\d\] DEBUG: saved step \d+ \(epoch \d\)\.$/m)
  assert.doesNotMatch(stderr, /event:|"event"/)
})
