import { herdService } from '../../shared/wire/service.ts'
import { PROTOCOL_VERSION } from '../../shared/wire/messages.ts'
import type { KeyedRandom } from '../../shared/random/philox.ts'
import { bytesOf } from './target.ts'

/** Calls of the protocol, whose messages are generated here in the right form, or nearly so. */
export type CallName = 'Control' | 'ReceiveWeights' | 'SendGradients' | 'FetchManifest' | 'FetchImages' | 'Watch'
export const callNames: readonly CallName[] = ['Control', 'ReceiveWeights', 'SendGradients', 'FetchManifest', 'FetchImages', 'Watch']

const { service } = herdService()

export function pathOf(call: CallName): string {
  return service[call].path
}

export function encode(call: CallName, message: object): Buffer {
  return service[call].requestSerialize(message)
}

export const anyUint = (random: KeyedRandom): number => random.pick([0, 1, 2, 3, 7, 8, 255, 65536, 0x7fffffff, 0xffffffff, random.uint32()])
const anyNumber = (random: KeyedRandom): number => random.pick([0, -1, 1.5, 1e308, -1e308, Number.NaN, Number.POSITIVE_INFINITY, Number.MIN_VALUE])
const anyText = (random: KeyedRandom): string =>
  random.pick(['', 'x', 'a\nerror: b', '\u001b[2J', '__proto__', 'x'.repeat(300), 'x'.repeat(5000), '\u202e', '{"kind":"wasm"}', '[', 'null', '💥', '../../etc/passwd', bytesOf(random, 20).toString('latin1')])

export function anyControlMessage(random: KeyedRandom): object {
  return random.pick<() => object>([
    () => ({ hello: { protocolVersion: random.pick([PROTOCOL_VERSION, anyUint(random)]), name: anyText(random), instance: anyText(random) } }),
    () => ({ ready: { engine: anyText(random), fingerprint: anyText(random), datasetDigest: anyText(random) } }),
    () => ({ heartbeat: { residentBytes: anyNumber(random) } }),
    () => ({ evaluation: anyEvaluation(random) }),
    () => ({ leaving: { reason: anyText(random) } }),
    () => ({}),
  ])()
}

/** A random evaluation. It always has more predictions than a block has images, so that it cannot be taken for a result. */
export function anyEvaluation(random: KeyedRandom): object {
  const count = 100 + random.below(100)
  return {
    round: anyUint(random), attempt: anyUint(random), block: anyUint(random), lossSum: anyNumber(random),
    predicted: Array.from({ length: count }, () => anyUint(random)),
    probability: Array.from({ length: random.pick([count, 0]) }, () => anyNumber(random)),
  }
}

/** A random chunk. Its data is always shorter than the vector, so that it cannot be taken for a gradient. */
export function anyChunk(random: KeyedRandom, session: string): object {
  return {
    session, round: anyUint(random), attempt: anyUint(random), node: anyUint(random), offset: anyUint(random),
    data: bytesOf(random, random.pick([0, 1, 3, 4, 8, 64])),
    ...random.pick([{}, {}, { shared: { at: random.pick([0, 16, 2048, 2 ** 40, anyUint(random)]), length: anyUint(random) }, data: bytesOf(random, random.pick([0, 0, 4])) }]),
    lanes: Array.from({ length: random.pick([0, 0, 1, 8, 100]) }, () => ({ lane: anyUint(random), lossSum: anyNumber(random), correct: anyUint(random), samples: anyUint(random), seconds: anyNumber(random) })),
  }
}

/** A random request of a call, as bytes. */
export function anyRequest(random: KeyedRandom, call: CallName, session: string): Buffer {
  if (call === 'Control') return encode(call, anyControlMessage(random))
  if (call === 'SendGradients') return encode(call, anyChunk(random, session))
  if (call === 'Watch') return encode(call, { intervalMs: anyUint(random) })
  return encode(call, { session, samples: Array.from({ length: random.below(20) }, () => anyUint(random)) })
}

/** A copy of bytes in which some are changed, left out, inserted or repeated. */
export function mutated(random: KeyedRandom, bytes: Buffer): Buffer {
  const at = random.below(bytes.length + 1)
  const until = at + random.below(bytes.length - at + 1)
  const insert = (what: Buffer): Buffer => Buffer.concat([bytes.subarray(0, at), what, bytes.subarray(at)])
  return random.pick<() => Buffer>([
    () => bytes.map((byte, index) => (index >= at && index < at + 4 ? byte ^ random.below(256) : byte)) as Buffer,
    () => bytes.subarray(0, at),
    () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(until)]),
    () => insert(bytesOf(random, 1 + random.below(30))),
    () => insert(bytes.subarray(at, until)),
    // A field that claims to be longer than the whole message.
    () => insert(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f])),
    // Groups inside groups.
    () => insert(Buffer.alloc(1 + random.below(2000), 0x0b)),
    // Many empty fields.
    () => insert(Buffer.from(Array.from({ length: 2 * random.below(500) }, (_, index) => (index % 2 === 0 ? 0x3a : 0)))),
  ])()
}
