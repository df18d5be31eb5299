import assert from 'node:assert/strict'
import test from 'node:test'
import { coordinatorDeaths as planned, randomFaults, type InjectedFault } from '../../chaos/faults.ts'
import { calmOf, coordinatorDeaths, noticedAfter, timeLost, workerDeaths } from '../../chaos/recovery.ts'
import { timelineOf } from '../../chaos/timeline.ts'

const BEGIN = Date.parse('2030-01-01T00:00:00.000Z')
const event = (seconds: number, name: string, fields: object = {}): { time: string; event: string } => ({ time: new Date(BEGIN + seconds * 1000).toISOString(), event: name, ...fields })
const joined = (seconds: number, worker: string, workers: number): ReturnType<typeof event> => event(seconds, 'workerJoined', { worker, workers })
const step = (end: number, number: number, seconds: number): ReturnType<typeof event> => event(end, 'step', { step: number, seconds })
const fault = (kind: InjectedFault['kind'], victim: string, at: number, until: number): InjectedFault => ({ kind, victim, at: BEGIN + at * 1000, until: BEGIN + until * 1000 })
const near = (actual: number, expected: number): void => assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} instead of ${expected}`)

const start = [event(0, 'started'), joined(1, 'a', 1), joined(1, 'b', 2), step(2, 1, 1), step(2.5, 2, 0.5), step(3, 3, 0.5)]
const cluster = { workers: 2, lanes: 4, blocks: 2 }

test("a worker's death costs what its step took longer than a calm one, and may cost the lanes that it held and a second", () => {
  const timeline = timelineOf([
    ...start,
    event(3.2, 'workerLost', { worker: 'b', workers: 1 }),
    event(3.2, 'dealtAgain', { worker: 'a', units: [2, 3], step: 3 }),
    step(4.1, 4, 1.1),
    event(4.2, 'dropped', { worker: 'b', units: 1 }),
  ])
  const deaths = [fault('kill', 'b', 3.1, 3.3)]
  assert.equal(calmOf(timeline, deaths, 2).step, 0.5)
  const [death] = workerDeaths(timeline, deaths, cluster)
  near(death.seconds, 0.6)
  // A calm step gives each worker two of four lanes in 0.5 s.
  near(death.allowance, 2 * 0.25 + 1)
  assert.equal(death.lost, 2)
  assert.equal(death.alone, true)
  near(noticedAfter(timeline, deaths, deaths[0]) ?? NaN, 0.1)
  near(timeLost(timeline, deaths, 2).get(deaths[0]) ?? NaN, 0.6)
  assert.equal(timeline.dropped, 1)
  const [overlapped] = workerDeaths(timeline, [...deaths, fault('hang', 'a', 3.5, 3.6)], cluster)
  assert.equal(overlapped.alone, false)
})

test("the coordinator's death costs the time until the run is further than it was, and may cost the work since the checkpoint and five seconds", () => {
  const timeline = timelineOf([
    ...start,
    event(3.01, 'checkpoint', { step: 3 }),
    step(3.5, 4, 0.5), step(4, 5, 0.5),
    event(6, 'started'), event(6, 'resumed', { epoch: 1, step: 3 }), joined(7, 'a', 1), joined(7, 'b', 2),
    step(7.5, 4, 0.5), step(8, 5, 0.5), step(8.5, 6, 0.5),
  ])
  const [death] = coordinatorDeaths(timeline, [fault('killCoordinator', 'coordinator', 4.2, 4.2)], 2)
  near(death.seconds, 8.5 - 4.2)
  near(death.allowance, 0.5 + 0.5 + 0.2 + 5)
  assert.equal(death.lost, 2)
})

test('a coordinator that dies while the test set is evaluated has recovered when the evaluation is through', () => {
  const timeline = timelineOf([
    ...start,
    event(3, 'evaluating', { epoch: 1, beside: false }),
    event(5, 'started'), event(5, 'resumed', { epoch: 1, step: 0 }), joined(6, 'a', 1), joined(6, 'b', 2), step(6.2, 1, 0.1), step(6.4, 2, 0.1), step(6.5, 3, 0.1), event(6.5, 'evaluating', { epoch: 1, beside: false }), event(7, 'checkpoint'),
    event(7.5, 'epoch'),
  ])
  const [death] = coordinatorDeaths(timeline, [fault('killCoordinator', 'coordinator', 3.2, 3.2)], 2)
  near(death.seconds, 3.8)
  near(death.allowance, 1 + 0.5 + 0.5 + 0.2 + 5)
})

test("a worker's loss is not held against a fault that it had recovered from, nor against one before the last", () => {
  const timeline = timelineOf([...start, joined(5, 'b', 2), event(8, 'workerLost', { worker: 'b', workers: 1 })])
  const faults = [fault('cut', 'b', 3, 4), fault('hang', 'b', 6, 6.5), fault('kill', 'b', 7.9, 8)]
  assert.deepEqual(faults.map((each) => noticedAfter(timeline, faults, each) !== undefined), [false, false, true])
})

test('a seed decides which faults come', () => {
  const first = (seed: number): unknown[] => {
    const faults = randomFaults(seed)
    return Array.from({ length: 50 }, () => faults.next().value)
  }
  assert.deepEqual(first(1), first(1))
  assert.notDeepEqual(first(1), first(2))
  const deaths = planned(1, 60, 2, 1)
  assert.ok(deaths.every(({ after, kind }) => kind === 'killCoordinator' && after.epoch !== undefined && after.epoch > 0 && after.epoch < 60))
  assert.ok((deaths[0].after.epoch ?? 0) < (deaths[1].after.epoch ?? 0))
})
