import { KeyedRandom, Purpose } from '../../shared/random/philox.ts'
import { framing, large, protobuf, streamFlood } from './calls.ts'
import { badMember, disorder } from './members.ts'
import { connectionFlood, frameFlood, frames, garbage, metricsGarbage } from './raw.ts'
import type { Attack, Target } from './target.ts'

/** Every attack, with its relative frequency. */
const attacks: { attack: Attack; name: string; weight: number }[] = [
  { name: 'garbage', attack: garbage, weight: 8 },
  { name: 'frames', attack: frames, weight: 12 },
  { name: 'frameFlood', attack: frameFlood, weight: 1 },
  { name: 'connectionFlood', attack: connectionFlood, weight: 1 },
  { name: 'metricsGarbage', attack: metricsGarbage, weight: 4 },
  { name: 'framing', attack: framing, weight: 10 },
  { name: 'protobuf', attack: protobuf, weight: 12 },
  { name: 'large', attack: large, weight: 1 },
  { name: 'streamFlood', attack: streamFlood, weight: 1 },
  { name: 'disorder', attack: disorder, weight: 6 },
  { name: 'badMember', attack: badMember, weight: 6 },
]
const deck = attacks.flatMap((each) => Array.from({ length: each.weight }, () => each))
const AT_ONCE = 8

export interface Storm {
  messages: number
  /** Number of messages of each attack. */
  byAttack: Record<string, number>
}

/**
 * Attacks a target until at least so many messages have been sent. Each case draws from random numbers keyed by the seed and the
 * number of the case, so that a seed sends the same bytes again.
 */
export async function attackWith(target: Target, seed: number, messages: number): Promise<Storm> {
  const storm: Storm = { messages: 0, byAttack: {} }
  let cases = 0
  const attacker = async (): Promise<void> => {
    while (storm.messages < messages) {
      const random = new KeyedRandom(seed, Purpose.draw, cases++)
      const { name, attack } = random.pick(deck)
      const sent = await attack(target, random)
      storm.messages += sent
      storm.byAttack[name] = (storm.byAttack[name] ?? 0) + sent
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, attacker))
  return storm
}
