import assert from 'node:assert/strict'
import test from 'node:test'
import type { MemberHandler } from '../../../../coordinator/contract/member.ts'
import { ReducerHub } from '../../../../coordinator/exchange/remote/hub.ts'
import type { ReducerControl } from '../../../../coordinator/exchange/remote/reducer_control.ts'
import type { Claims } from '../../../../coordinator/exchange/worker_streams.ts'
import { WorkerControl } from '../../../../coordinator/members/control.ts'
import { Sessions } from '../../../../coordinator/members/sessions.ts'
import type { ControlOutlet } from '../../../../coordinator/protocol/control.ts'
import { Controls } from '../../../../coordinator/protocol/controls.ts'
import type { CoordinatorMessage, ReducerMessage, ReductionMessage, WorkerMessage } from '../../../../shared/wire/messages.ts'
import { freshState } from '../../../../shared/optim/optimizer.ts'
import { defaultOptimizer, optimizerOf } from '../../../../shared/optim/optimizers.ts'

/**
 * A trace of members' lives, written by hand: a check that is independent of the simulation, which shares the members' protocol with
 * the product. Each line has an event, and its consequences: `a < ...` is a message to member a, anything else is told to the cluster.
 */
type Trace = [happens: string, follows: string[]][]

const PROTOCOL = 10
const HELLO_MS = 8000
const SILENCE_MS = 20_000
const TICK_MS = 1000
const engine = JSON.stringify({ kind: 'wasm', mode: 'eager', precision: 'f32', threads: 1, device: 'cpu', version: 'none' })
const optimizer = optimizerOf(defaultOptimizer)
const claims: Claims = { claim: () => undefined, release: () => undefined, widen: () => undefined }

/** An outlet that turns messages to a member into lines. */
function outletOf<M extends { message: string }>(member: string, say: (line: string) => void, wordsOf: (message: M) => string): ControlOutlet<M> {
  return {
    peer: `${member}:1`,
    send: (message) => say(`${member} < ${wordsOf(message)}`),
    close: () => say(`${member} < end`),
    fail: (why, reason) => say(`${member} < ${why}: ${reason}`),
  }
}

function workerMessage(words: string): WorkerMessage {
  const [kind, ...rest] = words.split(' ')
  switch (kind) {
    case 'hello':
      return { message: 'hello', hello: { protocolVersion: rest[2] === undefined ? PROTOCOL : Number(rest[2]), name: rest[0], instance: rest[1] } }
    case 'ready':
      return { message: 'ready', ready: { engine, fingerprint: 'f', datasetDigest: '', metricsAddress: ':9100', inputFingerprint: 'i', versions: 'v' } }
    case 'heartbeat':
      return { message: 'heartbeat', heartbeat: { residentBytes: 1 } }
    case 'computed':
      return { message: 'computed', computed: { round: 1, lane: Number(rest[0]), seconds: 1 } }
    case 'draining':
      return { message: 'draining', draining: {} }
    case 'leaving':
      return { message: 'leaving', leaving: { reason: rest.join(' ') } }
    default:
      throw new Error(`no such line: ${words}`)
  }
}

/** Plays the events of a trace of workers. @returns the events with their actual consequences */
function playWorkers(trace: Trace, refusal?: string): Trace {
  const lines: string[] = []
  const say = (line: string): undefined => void lines.push(line)
  let now = 0
  let ids = 0
  const sessions = new Sessions({ maximum: 2, connections: claims, newId: () => `session-${++ids}` })
  const controls = new Controls<CoordinatorMessage>(() => now)
  const members = new Map<string, WorkerControl>()
  const handler: MemberHandler = {
    onReady: (member) => {
      say(`${member.name} is ready, metrics at ${member.facts?.metricsAddress}`)
      return refusal
    },
    onHeard: ({ name }) => say(`${name} is heard`), onComputed: ({ name }, { lane }) => say(`${name} has computed lane ${lane}`), onAbandoned: () => undefined,
    onDraining: ({ name }) => say(`${name} drains`), onEvaluation: () => undefined, onGradient: () => undefined, onChecked: () => undefined, onSpans: () => undefined, onClock: () => undefined,
    onLost: ({ name }, reason) => say(`${name} is lost: ${reason}`),
  }
  const wordsOf = (message: CoordinatorMessage): string => {
    if (message.message === 'welcome') return `welcome to ${message.welcome.session}`
    if (message.message === 'refused') return `refused: ${message.refused.reason}`
    return message.message === 'stop' ? `stop: ${message.stop.reason}` : message.message
  }
  const happen = (words: string): void => {
    const [, member, what] = /^(\w+)(?: > |: )(.+)$/.exec(words) ?? []
    const control = members.get(member)
    if (member === 'time') for (const end = now + Number(what) * 1000; now < end; controls.tick()) now += TICK_MS
    else if (member === 'all') controls.end({ message: 'stop', stop: { finished: true, reason: what } })
    else if (what === 'calls') {
      const opened = new WorkerControl(outletOf(member, say, wordsOf), { handler, sessions, runId: 'run', run: '{}', helloMs: HELLO_MS, silenceMs: SILENCE_MS })
      members.set(member, opened)
      controls.add(opened)
    } else if (what.startsWith('opens weights of ')) sessions.get(what.slice('opens weights of '.length))?.attachWeights({ getPeer: () => member, write: () => true, end: () => undefined, writableLength: 0 }, false)
    else if (what === 'closes') control?.onClosed()
    else if (what === 'breaks') control?.onBroken()
    else control?.receive(workerMessage(what))
  }
  return trace.map(([words]) => {
    happen(words)
    return [words, lines.splice(0)]
  })
}

const workers: Record<string, Trace> = {
  'joins, computes and leaves in order': [
    ['a: calls', []],
    ['a > hello ant i1', ['a < welcome to session-1']],
    ['a: opens weights of session-1', []],
    ['a > ready', ['ant is ready, metrics at a:9100']],
    ['a > computed 3', ['ant has computed lane 3']],
    ['time: 60', []],
    ['a > heartbeat', ['ant is heard']],
    ['a > draining', ['ant drains']],
    ['a > leaving enough', ['a < end', 'ant is lost: enough']],
    ['a > heartbeat', []],
  ],
  'is of another version, never says hello, comes too many, or falls silent before it is ready': [
    ['a: calls', []],
    ['a > hello ant i1 6', ['a < version: this coordinator speaks protocol version 10, the worker 6: install the same version of Herd on both']],
    ['b: calls', []],
    ['time: 7', []],
    ['time: 1', ['b < cut: no hello came within 8 s']],
    ['c: calls', []],
    ['c > heartbeat', ['c < cut: heartbeat came before hello']],
    ['d: calls', []],
    ['d > hello ant i2', ['d < welcome to session-1']],
    ['e: calls', []],
    ['e > hello ant i3', ['e < welcome to session-2']],
    ['f: calls', []],
    ['f > hello ant i4', ['f < full: 2 workers are in, and --max-workers lets no more in']],
    ['time: 15', []],
    ['d > heartbeat', ['ant is heard']],
    ['time: 5', ['ant (2) is lost: nothing was heard of it for 20 s', 'e < cut: nothing was heard of it for 20 s']],
    ['d > ready', ['ant is lost: ready came before ReceiveWeights was opened', 'd < cut: ready came before ReceiveWeights was opened']],
  ],
  'comes again over a new connection while the old one is half open, and breaks the protocol': [
    ['a: calls', []],
    ['a > hello ant i1', ['a < welcome to session-1']],
    ['a: opens weights of session-1', []],
    ['a > ready', ['ant is ready, metrics at a:9100']],
    ['b: calls', []],
    ['b > hello ant i1', ['ant is lost: it has joined again', 'a < cut: it has joined again', 'b < welcome to session-2']],
    ['a: breaks', []],
    ['b > hello ant i1', ['ant is lost: hello came twice', 'b < cut: hello came twice']],
    ['c: calls', []],
    ['c > hello ant i1', ['c < welcome to session-3']],
    ['c: closes', ['c < end', 'ant is lost: the worker closed the connection']],
    ['d: calls', []],
    ['d > hello bee i2', ['d < welcome to session-4']],
    ['e: calls', []],
    ['all: the run has finished', ['d < stop: the run has finished', 'd < end', 'e < end']],
    ['d: closes', []],
  ],
}
for (const [life, trace] of Object.entries(workers)) test(`a worker that ${life}`, () => assert.deepEqual(playWorkers(trace), trace))

test('a worker that the cluster refuses is told why, and nothing more', () => {
  const trace: Trace = [
    ['a: calls', []],
    ['a > hello ant i1', ['a < welcome to session-1']],
    ['a: opens weights of session-1', []],
    ['a > ready', ['ant is ready, metrics at a:9100', 'a < refused: other data', 'a < end', 'ant is lost: other data']],
    ['a > heartbeat', []],
  ]
  assert.deepEqual(playWorkers(trace, 'other data'), trace)
})

/** Plays the events of a trace of two reducers with four parameters each. @returns the events with their actual consequences */
function playReducers(trace: Trace): Trace {
  const lines: string[] = []
  let now = 0
  let ids = 0
  const hub = new ReducerHub({
    ranges: [{ begin: 0, end: 4 }, { begin: 4, end: 8 }], run: '{}', optimizer, start: freshState(optimizer, 8), version: 3, local: false, silenceLimitMs: SILENCE_MS,
    now: () => now, newId: () => `reducer-${++ids}`,
    observe: (event) => {
      if (event.type === 'reducerJoined') lines.push(`reducer ${event.reducer} at ${event.address} is in`)
      if (event.type === 'reducerLost') lines.push(`reducer ${event.reducer} is lost: ${event.reason}`)
    },
  })
  hub.ready().catch((error: Error) => lines.push(`the run fails: ${error.message}`))
  const wordsOf = (message: ReductionMessage): string => {
    if (message.message === 'assigned') return `assigned ${message.assigned.begin} to ${message.assigned.end} from ${message.assigned.version}`
    if (message.message === 'refused') return `refused: ${message.refused.reason}`
    if (message.message === 'begin') return `begin ${message.begin.round}`
    if (message.message === 'settle') return `settle ${message.settle.round}${message.settle.leaveOut ? ', left out' : ''}`
    if (message.message === 'gather') return `gather ${message.gather.version}`
    return message.message === 'stop' ? `stop: ${message.stop.reason}` : message.message
  }
  const members = new Map<string, ReducerControl>()
  const messageOf = (words: string): ReducerMessage => {
    const [kind, value] = words.split(' ')
    if (kind === 'hello') return { message: 'hello', hello: { protocolVersion: value === undefined ? PROTOCOL : Number(value), address: ':7071' } }
    if (kind === 'summed') return { message: 'summed', summed: { round: Number(value), squares: [1], reduce: 0, optimizer: 0, broadcast: 0, traffic: [] } }
    return kind === 'ready' ? { message: 'ready', ready: {} } : { message: 'heartbeat', heartbeat: {} }
  }
  const happen = (words: string): void => {
    const [, member, what] = /^(\w+)(?: > |: )(.+)$/.exec(words) ?? []
    if (member === 'time') for (const end = now + Number(what) * 1000; now < end; hub.watch()) now += TICK_MS
    else if (member === 'hub') {
      if (what === 'begins') hub.begin({ round: 7, samples: 1, update: 4, rate: 0.1, digestKey: '' })
      else if (what === 'settles') hub.settle({ leaveOut: true, scale: 1 })
      else if (what === 'gathers') hub.snapshot().catch(() => lines.push('the weights do not come'))
      else hub.close({ finished: true, reason: what })
    } else if (what === 'calls') members.set(member, hub.accept(outletOf(member, (line) => lines.push(line), wordsOf), claims))
    else if (what === 'breaks') members.get(member)?.onBroken()
    else members.get(member)?.receive(messageOf(what))
  }
  return trace.map(([words]) => {
    happen(words)
    return [words, lines.splice(0)]
  })
}

const reducers: Record<string, Trace> = {
  'takes a place, reduces in order with the others, and ends with the run': [
    ['a: calls', []],
    ['a > hello', ['a < assigned 0 to 4 from 3']],
    ['b: calls', []],
    ['b > hello 6', ['b < version: this coordinator speaks protocol version 10, the reducer 6: install the same version of Herd on both']],
    ['c: calls', []],
    ['c > hello', ['c < assigned 4 to 8 from 3']],
    ['d: calls', []],
    ['d > hello', ['d < refused: this run has all the reducers that it wants.', 'd < end']],
    ['a > ready', ['reducer 1 at a:7071 is in']],
    // Another reducer may take the place of one that is lost until all are in.
    ['c: breaks', ['reducer 2 is lost: the connection was lost']],
    ['e: calls', []],
    ['e > hello', ['e < assigned 4 to 8 from 3']],
    ['e > ready', ['reducer 2 at e:7071 is in']],
    ['hub: begins', ['a < begin 7', 'e < begin 7']],
    ['a > summed 7', []],
    ['e > summed 7', []],
    ['hub: settles', ['a < settle 7, left out', 'e < settle 7, left out']],
    ['hub: gathers', ['a < gather 4', 'e < gather 4']],
    ['hub: the run has finished', ['a < stop: the run has finished', 'a < end', 'e < stop: the run has finished', 'e < end']],
    ['a: breaks', []],
  ],
  'says no hello, falls silent, or tells of a round that is not open': [
    ['a: calls', []],
    ['time: 8', ['a < cut: no hello came within 8 s']],
    ['b: calls', []],
    ['b > hello', ['b < assigned 0 to 4 from 3']],
    ['b > ready', ['reducer 1 at b:7071 is in']],
    ['time: 15', []],
    ['b > heartbeat', []],
    ['time: 19', []],
    ['time: 1', ['reducer 1 is lost: nothing was heard of it for 20 s', 'b < cut: nothing was heard of it for 20 s']],
    ['c: calls', []],
    ['c > hello', ['c < assigned 0 to 4 from 3']],
    ['c > ready', ['reducer 1 at c:7071 is in']],
    ['c > summed 7', ['reducer 1 is lost: the sums of round 7 came, which is not open', 'c < cut: the sums of round 7 came, which is not open']],
  ],
}
for (const [life, trace] of Object.entries(reducers)) test(`a reducer that ${life}`, () => assert.deepEqual(playReducers(trace), trace))
