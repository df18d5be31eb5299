import assert from 'node:assert/strict'
import test from 'node:test'
import { EngineError, ProtocolError } from '../../../shared/kit/errors.ts'
import type { CoordinatorMessage } from '../../../shared/wire/messages.ts'
import type { Link } from '../../../worker/link.ts'
import { Membership } from '../../../worker/membership.ts'
import { unobserved } from '../../support/unobserved.ts'

/** Starts a membership on a link that never answers. @returns a function that hands it messages of the coordinator directly */
function listeningMembership(): { hear: (message: CoordinatorMessage) => void } {
  let hear: (message: CoordinatorMessage) => void = () => undefined
  const never = new Promise<never>(() => undefined)
  const link: Link = {
    lost: never, bytesSent: 0, bytesReceived: 0, send: () => undefined, openBulk: () => undefined,
    sendGradient: () => never, fetchManifest: () => ({ [Symbol.asyncIterator]: () => ({ next: () => never }) }), close: () => never,
    fetchFrozen: () => ({ [Symbol.asyncIterator]: () => ({ next: () => never }) }),
    fetchImages: () => ({ [Symbol.asyncIterator]: () => ({ next: () => never }) }),
  }
  new Membership({
    name: 'listener', instance: 'i', engine: 'auto', metricsAddress: '',
    connect: (onMessage) => {
      hear = onMessage
      return link
    },
    startCompute: () => Promise.reject(new EngineError('it has none')),
    inputFacts: () => never, fetchData: () => never, residentBytes: () => never, every: () => () => undefined, now: () => 0,
    observer: unobserved,
  })
  return { hear: (message) => hear(message) }
}

const dealOf = (round: number, step: number): CoordinatorMessage => ({ message: 'deal', deal: { kind: 'TRAIN', round, step, epoch: 1, stepInEpoch: step, attempt: 0, units: [0] } })

test('a deal that was overtaken breaks the protocol, rather than wait for weights that never come', () => {
  for (const overtaken of [dealOf(1, 4), dealOf(3, 3)]) {
    const { hear } = listeningMembership()
    hear(dealOf(2, 4))
    hear(dealOf(2, 4))
    assert.throws(() => hear(overtaken), { name: ProtocolError.name, message: /came after one of round 2, step 4/ })
  }
})

test('a second welcome breaks the protocol, rather than start a second engine', () => {
  const { hear } = listeningMembership()
  const welcome: CoordinatorMessage = { message: 'welcome', welcome: { session: 's', runId: 'r', run: '{}', reducers: [] } }
  hear(welcome)
  assert.throws(() => hear(welcome), { name: ProtocolError.name, message: /welcome came twice/ })
})
