import assert from 'node:assert/strict'
import test from 'node:test'
import { ClockOffset } from '../../../../shared/trace/clock_offset.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'

test('the quickest of the last readings says how far the other clock is ahead, within half of the time that it took', () => {
  const random = new KeyedRandom(3, Purpose.draw)
  const offset = new ClockOffset()
  assert.equal(offset.ahead, undefined)
  let shortest = Infinity
  for (let reading = 0; reading < 16; reading++) {
    const sent = reading * 2
    const there = random.between(0.001, 0.2)
    const back = random.between(0.001, 0.2)
    shortest = Math.min(shortest, there + back)
    offset.add(sent, sent + there + back, 1000 + sent + there)
  }
  assert.ok(Math.abs((offset.ahead ?? 0) - 1000) <= shortest / 2)
})

test('a clock that drifts is followed: old readings are forgotten, however quick they were', () => {
  const offset = new ClockOffset()
  offset.add(0, 0, 5)
  for (let reading = 1; reading <= 16; reading++) offset.add(reading, reading + 0.1, reading + 0.05 + 6)
  assert.ok(Math.abs((offset.ahead ?? 0) - 6) < 1e-9)
})
