import { once } from 'node:events'
import type { ClientDuplexStream } from '@grpc/grpc-js'
import type { KeyedRandom } from '../../shared/random/philox.ts'
import { PROTOCOL_VERSION } from '../../shared/wire/messages.ts'
import { connectTo, endOf, type Calls } from '../support/grpc.ts'
import { anyChunk, anyControlMessage, anyEvaluation, anyUint } from './messages.ts'
import type { Attack, Target } from './target.ts'

/**
 * Attacks by programs that know the token: sessions, and members that are dealt work, which violate the protocol.
 * A control stream is cancelled after this time at the latest.
 */
const PATIENCE_MS = 2000
const engine = JSON.stringify({ kind: 'wasm', mode: 'eager', precision: 'f32', threads: 1, device: 'cpu', version: 'fuzz' })

/** A message, or several, that can be sent once there is a session. None is a valid result, whatever the member was dealt. */
type Blow = (random: KeyedRandom, target: Target, sides: { control: ClientDuplexStream<unknown, unknown>; bulk: Calls; session: string; gradients: (message: object) => void }) => void
const blows: Blow[] = [
  (random, _, { control }) => control.write(anyControlMessage(random)),
  (random, { fingerprint }, { control }) => control.write({ ready: { engine, fingerprint, datasetDigest: random.pick(['', '0'.repeat(64)]) } }),
  (random, _, { control }) => control.write({ evaluation: anyEvaluation(random) }),
  (random, _, { session, gradients }) => gradients(anyChunk(random, session)),
  (random, _, { session, gradients }) => {
    // The same chunk comes twice, then one that overlaps it, and one beyond the end.
    const chunk = anyChunk(random, session)
    for (const offset of [0, 0, 1, 0xffffffff]) gradients({ ...chunk, offset })
  },
  (random, _, { bulk, session }) => void endOf(bulk.receiveWeights({ session: random.pick([session, 'guess']) })),
  (random, _, { bulk, session }) => void endOf(bulk.fetchManifest({ session: random.pick([session, 'guess']), ownCopy: random.below(2) === 0 })),
  // More watchers than are allowed, with any interval; they end with the connection.
  (random, _, { bulk }) => Array.from({ length: random.below(20) }, () => void endOf(bulk.watch({ intervalMs: anyUint(random) }))),
  (random, _, { bulk, session }) => void endOf(bulk.fetchImages({ session, samples: Array.from({ length: random.below(30) }, () => random.pick([0, 1, 2, 1e6])) })),
]

/** Says hello, then sends anything in any order, on the control stream and beside it. */
export const disorder: Attack = (target, random) => attack(target, random, false)

/** Joins as a worker should, is dealt work, and then does anything but that work. */
export const badMember: Attack = (target, random) => attack(target, random, true)

async function attack(target: Target, random: KeyedRandom, joins: boolean): Promise<number> {
  const [control, bulk] = [connectTo(`127.0.0.1:${target.port}`, target.token), connectTo(`127.0.0.1:${target.port}`, target.token)]
  const stream = control.control()
  const ended = endOf(stream)
  let sent = 1
  stream.write({ hello: { protocolVersion: PROTOCOL_VERSION, name: `hostile-${random.below(1000)}`, instance: `hostile-${random.uint32()}` } })
  const answered = once(stream, 'data') as Promise<[{ message: string; welcome?: { session: string } }]>
  const session = await Promise.race([answered.then(([{ welcome }]) => welcome?.session), ended.then(() => undefined)])
  if (session !== undefined) {
    let open: ReturnType<Calls['sendGradients']> | undefined
    const gradients = (message: object): void => {
      if (open === undefined || random.below(10) === 0) open = bulk.sendGradients(() => undefined).on('error', () => undefined)
      if (open.writable) open.write(message)
    }
    if (joins) {
      void endOf(bulk.receiveWeights({ session, sharesMemory: random.below(2) === 0 }))
      // Calls are answered in turn, so the answer to this one shows that the weights stream is open.
      await endOf(bulk.fetchImages({ session, samples: [] }))
      if (stream.writable) stream.write({ ready: { engine, fingerprint: target.fingerprint, datasetDigest: '' } })
      sent += 3
    }
    for (let blow = 0; blow < 1 + random.below(12); blow++) {
      if (stream.writable) random.pick(blows)(random, target, { control: stream, bulk, session, gradients })
      sent++
      if (random.below(4) === 0) await new Promise(setImmediate)
    }
    stream.end()
  }
  const patience = setTimeout(() => stream.cancel(), PATIENCE_MS)
  await ended
  clearTimeout(patience)
  control.close()
  bulk.close()
  return sent
}
