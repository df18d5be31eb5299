import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import pino from 'pino'
import { progressPlace, startProgress, type Progress } from '../../../../shared/command/progress.ts'

interface Shown {
  clock: { now: number }
  /** Records of the log. */
  records: { msg: string; done?: number; total?: number; progress?: string }[]
  drawn: () => string
  start: (what: string, options?: { endTold?: boolean }) => Progress
}

function shown({ terminal, quiet = false, logFormat = 'pretty' }: { terminal: boolean; quiet?: boolean; logFormat?: 'pretty' | 'json' }): Shown {
  const records: Shown['records'] = []
  const log = pino({ level: quiet ? 'warn' : 'info' }, { write: (line: string) => void records.push(JSON.parse(line) as Shown['records'][0]) })
  const output = Object.assign(new PassThrough(), { isTTY: terminal, columns: 100 }) as unknown as NodeJS.WriteStream
  const clock = { now: 1000 }
  const place = { ...progressPlace(output, log, { quiet, logFormat }), now: () => clock.now }
  return { clock, records, drawn: () => String((output as unknown as PassThrough).read() ?? ''), start: (what, options) => startProgress(place, what, options) }
}

test('on a terminal a bar is drawn, once the work takes long enough to be looked at', () => {
  const { clock, records, drawn, start } = shown({ terminal: true })
  const bar = start('testing')
  bar.update(1, 10)
  clock.now += 499
  bar.update(2, 10)
  assert.equal(drawn(), '')
  clock.now += 1
  bar.update(3, 10, '31.2 images/s')
  clock.now += 20_000
  bar.update(4, 10, '30.0 images/s')
  bar.end()
  const text = drawn().replaceAll(/\u001b\[[0-9;?]*[a-zA-Z]/g, '\n')
  assert.match(text, /testing .*█+.*░+.* 3\/10\n/, 'the bar begins here: nothing is known of the time left')
  assert.match(text, /4\/10 {2}30\.0 images\/s {2}\d+ (s|min|h) left/)
  assert.deepEqual(records.map(({ msg }) => msg), ['testing: 4 in 21 s.'], 'no lines while there is a bar, and one at the end')
})

test('a bar makes room for lines, and comes back with the next update', () => {
  const { clock, drawn, start } = shown({ terminal: true })
  const bar = start('sweeping')
  clock.now += 600
  bar.update(1, 10)
  assert.match(drawn(), /1\/10/)
  bar.pause()
  assert.match(drawn(), /\u001b\[(0|2)?K/, 'its line is empty')
  bar.pause()
  assert.equal(drawn(), '')
  bar.update(2, 10)
  assert.match(drawn(), /2\/10/)
  bar.end()
})

test('elsewhere there is a line about every ten seconds, with the time left, and one at the end', () => {
  const { clock, records, drawn, start } = shown({ terminal: false })
  const progress = start('evaluating')
  for (let done = 1; done <= 300; done++) {
    clock.now += 100
    progress.update(done, 400, done > 250 ? '9.8 images/s' : '')
  }
  progress.end()
  assert.equal(drawn(), '')
  assert.deepEqual(records.map(({ msg }) => msg), [
    'evaluating: 100 of 400, 30 s left.',
    'evaluating: 200 of 400, 20 s left.',
    'evaluating: 300 of 400, 9.8 images/s, 10 s left.',
    'evaluating: 300 in 30 s.',
  ])
  assert.deepEqual(records.slice(0, 3).map(({ progress: what, done, total }) => ({ what, done, total })), [100, 200, 300].map((done) => ({ what: 'evaluating', done, total: 400 })))
})

test('the time left of work that was begun before is told by what was done since', () => {
  const { clock, records, start } = shown({ terminal: false })
  const progress = start('epoch 3')
  progress.update(900, 1000)
  clock.now += 10_000
  progress.update(910, 1000)
  progress.update(911, 1000)
  assert.deepEqual(records.map(({ msg }) => msg), ['epoch 3: 910 of 1000, 90 s left.'])
})

test('what is over soon is not spoken of, nor an end that somebody else tells', () => {
  const { clock, records, start } = shown({ terminal: false })
  const short = start('checking images')
  short.update(5, 5)
  clock.now += 2000
  short.end()
  const told = start('epoch 1', { endTold: true })
  clock.now += 5000
  told.update(5, 5)
  told.end()
  assert.deepEqual(records, [])
})

test('with --log-format json a terminal gets lines too; with --quiet nothing', () => {
  const json = shown({ terminal: true, logFormat: 'json' })
  const quiet = [shown({ terminal: true, quiet: true }), shown({ terminal: false, quiet: true })]
  for (const { clock, start } of [json, ...quiet]) {
    const progress = start('drawing')
    clock.now += 10_000
    progress.update(1, 2)
    progress.end()
  }
  assert.deepEqual(json.records.map(({ msg }) => msg), ['drawing: 1 of 2.', 'drawing: 1 in 10 s.'])
  for (const { drawn } of [json, ...quiet]) assert.equal(drawn(), '')
  for (const { records } of quiet) assert.deepEqual(records, [])
})
