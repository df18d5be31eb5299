import { setTimeout as sleep } from 'node:timers/promises'
import { KeyedRandom, Purpose } from '../../shared/random/philox.ts'
import { floatsOf } from '../../shared/kit/floats.ts'
import { runProgram } from '../../shared/command/program.ts'
import { ComputeLease } from '../../worker/compute_lease.ts'
import { Connection } from '../../worker/connection.ts'
import { main } from '../../worker/main.ts'
import { lieKinds, liar, type LieKind } from '../simulation/liar.ts'
import { lyingKinds, type LyingKind } from './liars.ts'

/**
 * A worker that lies, as a program: the real one, of which what it computes or sends is changed now and then.
 * First argument: the kind of its lies. The other ones are a worker's.
 */
const [kind, ...args] = process.argv.slice(2) as [LyingKind, ...string[]]
if (!lyingKinds.includes(kind)) throw new Error(`${kind} is none of ${lyingKinds.join(', ')}`)

/** Share of what it sends that is a lie. */
const RATE = 0.3
const random = new KeyedRandom(process.pid, Purpose.simulation)

function isSumLie(each: LyingKind): each is LieKind {
  return (lieKinds as readonly string[]).includes(each)
}

const { take, setParameters } = ComputeLease.prototype
const { sendGradient } = Connection.prototype
if (isSumLie(kind)) {
  const lie = liar([kind], RATE, random, () => undefined)
  ComputeLease.prototype.take = async function () {
    const sum = await take.call(this)
    lie(sum)
    return sum
  }
} else if (kind === 'weights') {
  ComputeLease.prototype.setParameters = function (parameters) {
    const copy = parameters.slice()
    // The upper bits of the exponent are left alone: weights that overflow would be found by anybody.
    if (random.uniform() < RATE) new Uint32Array(copy.buffer)[random.below(copy.length)] ^= 1 << random.below(24)
    setParameters.call(this, copy)
  }
} else {
  Connection.prototype.sendGradient = async function (chunk) {
    // The first chunk of a partial of some lanes; the last one, of more chunks, has the reports of lanes.
    if (chunk.node === 0 || chunk.offset > 0 || chunk.lanes.length > 0 || random.uniform() >= RATE) return sendGradient.call(this, chunk)
    if (kind === 'forged root') return sendGradient.call(this, { ...chunk, node: 0 })
    const data = Buffer.from(chunk.data)
    floatsOf(data)[0] = 1e6
    await sendGradient.call(this, { ...chunk, data })
    // What was written must have left this machine before the connection ends.
    await sleep(100)
    await this.close()
  }
}

await runProgram(main, args)
