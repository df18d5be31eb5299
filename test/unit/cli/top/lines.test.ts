import assert from 'node:assert/strict'
import { test } from 'node:test'
import { duration, lineOf, linesOf } from '../../../../cli/top/lines.ts'
import { Speeds } from '../../../../cli/top/speeds.ts'
import { exampleBrief, exampleMember } from '../../../support/brief.ts'

const now = new Date('2025-01-31T10:02:00.000Z')

test('the picture has the run, its progress with the time left, its figures, and a table of workers', () => {
  assert.deepEqual(linesOf(exampleBrief(), ({ name }) => (name === 'one' ? 15.62 : undefined), now), [
    '/runs/first  training  up 1:02 h',
    'article, 256 px, bf16, native, 640 images of 2 classes, batch 64, 8 lanes',
    '',
    `epoch 3/50  ${'█'.repeat(12)}${'░'.repeat(18)}  step 4/10  12 s left  of the run 2:03 h`,
    'loss 1.2500  accuracy 50.0 %  31.3 images/s',
    'epoch 2: train loss 1.5000 accuracy 40.0 %  test loss NaN accuracy 45.0 %',
    '',
    'WORKER  STATE      NOW        LANES  IMAGES/S    LANE    MEMORY      IN     OUT  DEVICE',
    'one     computing  lanes 0 1     40      15.6  250 ms  812.0 MB  1.3 GB  1.5 GB  cpu',
    'two     idle       -             40         -       -  812.0 MB  1.3 GB  1.5 GB  cpu',
  ])
})

test('workers stand in the order of their names', () => {
  const lines = linesOf(exampleBrief({ members: ['w-10', 'w-9', 'a'].map((name) => exampleMember(name)) }), () => 1, now)
  assert.deepEqual(lines.slice(-3).map((line) => line.split(' ')[0]), ['a', 'w-9', 'w-10'])
})

test('before anything is known there are dashes, and no worker', () => {
  const { progress } = exampleBrief()
  const lines = linesOf(exampleBrief({ members: [], lastStep: null, lastEpoch: null, state: 'waiting', progress: { ...progress, imagesPerSecond: null, epochSecondsLeft: null, runSecondsLeft: null } }), () => undefined, now)
  assert.match(lines[0], /^\/runs\/first {2}waiting/)
  assert.equal(lines[4], 'loss -  accuracy -  - images/s')
  assert.equal(lines[5], 'no epoch is done yet')
  assert.equal(lines.at(-1), 'no worker is in')
})

test('an evaluation tells how far it is, and a worker what it does for it', () => {
  const { progress } = exampleBrief()
  const brief = exampleBrief({ state: 'evaluating', progress: { ...progress, testing: { done: 3, total: 8 } }, members: [exampleMember('one', { kind: 'EVALUATE', owes: [3] })] })
  assert.match(linesOf(brief, () => 1, now)[0], /testing 3\/8/)
  assert.match(linesOf(brief, () => 1, now).at(-1) ?? '', /test block 3 /)
  assert.equal(lineOf(brief), 'testing 3/8  epoch 3/50  step 4/10  loss 1.2500  accuracy 50.0 %  31.3 images/s  1 worker  12 s left')
})

test('what a coordinator calls things writes no more than its own place', () => {
  const { facts } = exampleBrief()
  const hostile = '\u001b[2J\nx'.repeat(20)
  const lines = linesOf(exampleBrief({ facts: { ...facts, folder: hostile, recipe: { ...facts.recipe, model: hostile } }, members: [exampleMember(hostile, { device: hostile, owes: Array.from({ length: 4096 }, (_, index) => index) })] }), () => 1, now)
  for (const line of lines) assert.doesNotMatch(line, /[\u0000-\u001f]/)
  assert.ok((lines.at(-1) ?? '').length < 160, lines.at(-1))
})

test('durations', () => {
  assert.deepEqual([0, 59.4, 59.6, 3599, 3600, 360_000].map(duration), ['0 s', '59 s', '1:00 min', '59:59 min', '1:00 h', '100:00 h'])
})

test('a worker\'s speed is that of its last ten seconds; of one that is new or has joined again, since it joined', () => {
  const speeds = new Speeds()
  const at = (secondsIn: number, images: number): number | undefined => {
    const member = exampleMember('one', { secondsIn, images })
    speeds.take(exampleBrief({ members: [member] }))
    return speeds.of(member)
  }
  assert.equal(at(10, 100), 10)
  assert.equal(at(11, 130), 30)
  for (let second = 12; second <= 40; second++) at(second, 130 + (second - 11) * 20)
  assert.equal(at(41, 730), 20)
  assert.equal(at(0, 0), undefined)
  assert.equal(at(2, 10), 5)
})
