import { type KeyedRandom } from '../../shared/random/philox.ts'
import { brightness, type Colour, colour, darker, hsl, lighter, mix } from './colour.ts'
import { type Bounds, type Sketch, type Stroke } from './sketch.ts'

export const PATTERNS = ['plain', 'patches', 'spots', 'stripes', 'saddle'] as const
export type Pattern = (typeof PATTERNS)[number]

/** Colours and style of one animal. Every class can have every coat, so a colour does not give the class away. */
export interface Coat {
  readonly base: Colour
  readonly mark: Colour
  /** Colour of lines, eyes and noses. */
  readonly ink: Colour
  /** Colour of collars, wings, combs and the like. */
  readonly accent: Colour
  readonly pattern: Pattern
  readonly lightBelly: boolean
  readonly socks: boolean
  readonly outline: Stroke | undefined
}

const BASES = {
  black: '#2e2a2b', umber: '#4a3526', brown: '#6b4528', chestnut: '#8a5a33', ginger: '#b9662b', tan: '#c98a4b', sand: '#d8a86a',
  cream: '#e6cfa4', wool: '#f0ebe0', white: '#fbfaf6', ash: '#b9b2aa', grey: '#8d8b8c', slate: '#6d7078', mud: '#7d6a5d', rust: '#a34f2a',
} as const
export type Base = keyof typeof BASES
const EVERY_BASE = Object.values(BASES)

/**
 * Makes a random coat.
 * @param usual colours that most animals of the class have; the others have any.
 */
export function randomCoat(random: KeyedRandom, patterns: readonly Pattern[], usual: readonly Base[]): Coat {
  const jitter = random.between(-0.15, 0.15)
  const picked = colour(random.uniform() < 0.92 ? BASES[random.pick(usual)] : random.pick(EVERY_BASE))
  const base = jitter < 0 ? darker(picked, -jitter) : lighter(picked, jitter)
  const other = colour(random.pick(EVERY_BASE))
  const contrast = Math.abs(brightness(other) - brightness(base)) > 60
  const mark = contrast ? other : brightness(base) > 130 ? darker(base, 0.6) : lighter(base, 0.65)
  const ink = mix(colour('#1d1719'), darker(base, 0.75), 0.5)
  return {
    base, mark, ink,
    accent: hsl(random.between(0, 360), random.between(0.45, 0.85), random.between(0.4, 0.6)),
    pattern: random.pick(patterns),
    lightBelly: random.uniform() < 0.4,
    socks: random.uniform() < 0.25,
    outline: random.uniform() < 0.85 ? { colour: ink, width: random.between(0.8, 2) } : undefined,
  }
}

/** The coat's fill for a body that reaches from `top` to `bottom`, lit from above; `dim` in 0..1 darkens it. */
export function coatFill(sketch: Sketch, coat: Coat, top: number, bottom: number, dim = 0): string {
  const base = darker(coat.base, dim)
  return sketch.linear([0, top], [0, bottom], [lighter(base, 0.16), base, darker(base, 0.28)])
}

/** The shadow on the ground (y = 0) below a body. */
export function paintShadow(sketch: Sketch, x: number, halfWidth: number): void {
  sketch.paint(sketch.ellipse(x, -1, halfWidth, 5), { fill: colour('#14100c'), opacity: 0.3 })
}

/** Paints the coat's markings and its shading over a body (in the sketch's frame) inside the clip. */
export function paintMarkings(sketch: Sketch, coat: Coat, clip: string, box: Bounds, random: KeyedRandom): void {
  const width = box.right - box.left
  const height = box.bottom - box.top
  const blotch = (x: number, y: number, size: number): string => {
    const turn = random.between(0, 6)
    return sketch.blob(
      Array.from({ length: 7 }, (_, i) => {
        const radius = size * random.between(0.65, 1.25)
        return [x + radius * Math.cos(turn + i * 0.9), y + radius * 0.8 * Math.sin(turn + i * 0.9)] as const
      }),
    )
  }
  const some = (count: number, size: () => number): string[] =>
    Array.from({ length: count }, () => blotch(random.between(box.left, box.right), random.between(box.top, box.bottom), size()))
  switch (coat.pattern) {
    case 'plain':
      break
    case 'patches':
      sketch.paint(some(6 + random.below(4), () => height * random.between(0.18, 0.36)), { fill: coat.mark, clip })
      break
    case 'spots':
      sketch.paint(some(14 + random.below(14), () => height * random.between(0.03, 0.08)), { fill: coat.mark, clip, opacity: 0.9 })
      break
    case 'stripes': {
      const lines = Array.from({ length: 9 + random.below(3) }, (_, i) => {
        const x = box.left + (width * (i + random.between(0.2, 0.8))) / 9
        return sketch.tube([[x, box.top - 2, height * 0.06], [x + height * random.between(-0.08, 0.08), box.top + height * 0.3, height * 0.045], [x + height * random.between(-0.1, 0.1), box.top + height * random.between(0.45, 0.8), 0.4]])
      })
      sketch.paint(lines, { fill: coat.mark, clip, opacity: 0.9 })
      break
    }
    case 'saddle':
      sketch.paint(sketch.ellipse(box.left + width * random.between(0.35, 0.55), box.top + height * 0.05, width * random.between(0.35, 0.6), height * random.between(0.3, 0.5)), { fill: coat.mark, clip, opacity: 0.9 })
      break
  }
  if (coat.lightBelly) {
    sketch.paint(sketch.ellipse(box.left + width * 0.5, box.bottom + height * 0.05, width * 0.5, height * 0.3), { fill: lighter(coat.base, 0.6), clip, opacity: 0.8 })
  }
  sketch.paint(sketch.ellipse(box.left + width * 0.5, box.bottom, width * 0.6, height * 0.28), { fill: darker(coat.base, 0.7), clip, opacity: 0.22 })
  sketch.paint(sketch.ellipse(box.left + width * 0.5, box.top + height * 0.12, width * 0.42, height * 0.14), { fill: lighter(coat.base, 0.6), clip, opacity: 0.2 })
}
