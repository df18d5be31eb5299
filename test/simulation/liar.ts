import type { LaneSum } from '../../shared/lanes/lane_stack.ts'
import type { KeyedRandom } from '../../shared/random/philox.ts'
import type { Count } from './statistics.ts'

/** Ways in which a worker changes the sum of its lanes' gradients. */
export const lieKinds = [
  /** One bit of one number is another one, as of a broken chip. */
  'flipped',
  /** One number is so large that it would spoil the moments of Adam for thousands of steps. */
  'huge',
  /** One number is NaN; the reports of the lanes may say so or not. */
  'not finite',
  /** Nothing was computed, and the gradient is made up. */
  'lazy',
] as const
export type LieKind = (typeof lieKinds)[number]

/** Makes what a lying worker does to its sums. @param rate share of the sums that it changes */
export function liar(kinds: readonly LieKind[], rate: number, random: KeyedRandom, count: Count): (sum: LaneSum) => void {
  // Two liars that say the same are believed, as whoever agrees is; so each of them makes up a value of its own.
  const madeUp = random.uniform()
  return ({ values, lanes }) => {
    if (random.uniform() >= rate) return
    const kind = random.pick(kinds)
    const place = random.below(values.length)
    count(`lies ${kind}`)
    switch (kind) {
      case 'flipped':
        new Uint32Array(values.buffer, values.byteOffset)[place] ^= 1 << random.below(31)
        break
      case 'huge':
        values[place] = 1e15
        break
      case 'not finite':
        values[place] = NaN
        if (random.uniform() < 0.5) for (const lane of lanes) lane.notFinite = true
        break
      case 'lazy':
        values.fill(madeUp)
        break
    }
  }
}
