import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytes, duration, figure, percent, ranges, rate, speed } from '../../../live/page/format.ts'
import { WorkerColours } from '../../../live/page/worker_colours.ts'
import { WorkerWatch } from '../../../live/page/worker_watch.ts'
import { member, strip } from '../../support/live_source.ts'

/** Tests of the page's computations; test/browser tests the rest in a browser. */

const at = (seconds: number): Date => new Date(seconds * 1000)

test('figures are written with the digits that matter', () => {
  assert.deepEqual([0, 0.00042, 0.0523, 0.8321, 12.345, 1234.5, 123_456, NaN, null].map(figure), ['0.0000', '4.2e-4', '0.0523', '0.832', '12.35', '1235', '1.2e5', 'not finite', '–'])
  assert.deepEqual([0.0001, 0.00025, 0.003, 0.1, 0].map(rate), ['1e-4', '2.5e-4', '0.003', '0.1', '0'])
  assert.deepEqual([0.5, 1, NaN, null].map((share) => percent(share)), ['50.0\u00a0%', '100.0\u00a0%', '–', '–'])
  assert.deepEqual([0, 999, 1000, 4_460_340, 1.21e9].map(bytes), ['0 B', '999 B', '1.0\u00a0kB', '4.5\u00a0MB', '1.2\u00a0GB'])
  assert.deepEqual([0.25, 3.21, 59.6, 125, 3_780, 200_000, null].map(duration), ['250 ms', '3.2 s', '1 min 0 s', '2 min 5 s', '1 h 3 min', '2 d 7 h', '–'])
  assert.deepEqual([7.25, 118.9, 1423, null].map(speed), ['7.3', '119', '1,423', '–'])
})

test('numbers of lanes are told as ranges', () => {
  assert.deepEqual([[], [3], [4, 3], [7, 0, 1, 2, 3], [0, 2, 4]].map(ranges), ['', '3', '3, 4', '0–3, 7', '0, 2, 4'])
})

test('a worker is as fast as its images of the last seconds, by the coordinator’s clock', () => {
  const watch = new WorkerWatch()
  watch.see([member('rack-1', 10)], at(0))
  assert.equal(watch.speeds().get('rack-1'), null, 'nobody knows from one look')
  // The worker computes 32 images in each half second.
  watch.see([member('rack-1', 11)], at(100))
  assert.equal(watch.speeds().get('rack-1'), 64)
  // The worker stands still, and images before the window do not count any more.
  for (let seconds = 6; seconds <= 22; seconds++) watch.see([{ ...member('rack-1', 11), secondsIn: seconds }], at(100))
  assert.equal(watch.speeds().get('rack-1'), 0)
})

test('a worker that joins anew under its name is not slower than nothing', () => {
  const watch = new WorkerWatch()
  watch.see([member('rack-1', 100)], at(0))
  watch.see([member('rack-1', 2)], at(1))
  assert.equal(watch.speeds().get('rack-1'), null)
  watch.see([member('rack-1', 4)], at(2))
  assert.equal(watch.speeds().get('rack-1'), 64)
})

test('who went away is remembered until it is back', () => {
  const watch = new WorkerWatch()
  watch.see([member('rack-1', 1), member('rack-2', 1)], at(0))
  watch.see([member('rack-1', 2)], at(7))
  assert.deepEqual(watch.gone.map(({ member: { name }, since }) => [name, since]), [['rack-2', at(7)]])
  assert.equal(watch.speeds().has('rack-2'), false)
  watch.see([member('rack-1', 3), member('rack-2', 1)], at(9))
  assert.deepEqual(watch.gone, [])
  for (let i = 0; i < 20; i++) {
    watch.see([member(`spot-${i}`, 1)], at(10 + i))
  }
  assert.deepEqual(watch.gone.map(({ member: { name } }) => name), ['spot-18', 'spot-17', 'spot-16', 'spot-15', 'spot-14'])
})

test('workers keep their colours, the first that were seen the first ones', () => {
  const colours = new WorkerColours()
  colours.see({ members: [member('rack-2', 1)], strips: [strip(1)] })
  assert.deepEqual(['rack-2', 'rack-1', 'laptop <b>', 'new'].map((name) => colours.indexOf(name)), [0, 1, 2, 3])
  colours.see({ members: [member('rack-1', 1)], strips: [] })
  assert.equal(colours.indexOf('rack-1'), 1)
})
