import { type KeyedRandom } from '../../random/philox.ts'
import { brightness, type Colour, colour, darker, hsl, lighter, mix } from './colour.ts'
import { type Bounds, type Sketch, type Stroke } from './sketch.ts'

export const PATTERNS = ['plain', 'patches', 'spots', 'stripes', 'saddle'] as const
export type Pattern = (typeof PATTERNS)[number]

/** Colours and style of one animal. Every class draws from the same coats: a colour says nothing about the class. */
export interface Coat {
  readonly base: Colour
  readonly mark: Colour
  /** Lines, and eyes and noses. */
  readonly ink: Colour
  /** Collars, flowers on wings, combs and the like. */
  readonly accent: Colour
  readonly pattern: Pattern
  readonly lightBelly: boolean
  readonly socks: boolean
  readonly outline: Stroke | undefined
}

const BASES = [
  '#2e2a2b', '#4a3526', '#6b4528', '#8a5a33', '#b06f35', '#c98a4b', '#d8a86a', '#e6cfa4', '#f0ebe0', '#fbfaf6',
  '#b9b2aa', '#8d8b8c', '#6d7078', '#7d6a5d', '#a34f2a',
].map(colour)

export function randomCoat(random: KeyedRandom, patterns: readonly Pattern[]): Coat {
  const jitter = random.between(-0.15, 0.15)
  const picked = random.pick(BASES)
  const base = jitter < 0 ? darker(picked, -jitter) : lighter(picked, jitter)
  const other = random.pick(BASES)
  const contrast = Math.abs(brightness(other) - brightness(base)) > 60
  const mark = contrast ? other : brightness(base) > 130 ? darker(base, 0.6) : lighter(base, 0.65)
  const ink = mix(colour('#1d1719'), darker(base, 0.75), 0.5)
  return {
    base, mark, ink,
    accent: hsl(random.between(0, 360), random.between(0.45, 0.85), random.between(0.4, 0.6)),
    pattern: random.pick(patterns),
    lightBelly: random.uniform() < 0.4,
    socks: random.uniform() < 0.25,
    outline: random.uniform() < 0.75 ? { colour: ink, width: random.between(0.5, 1.4) } : undefined,
  }
}

/** The coat's fill for a body that reaches from `top` to `bottom`: lit from above. */
export function coatFill(sketch: Sketch, coat: Coat, top: number, bottom: number, dim = 0): string {
  const base = darker(coat.base, dim)
  return sketch.linear([0, top], [0, bottom], [lighter(base, 0.16), base, darker(base, 0.28)])
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
      sketch.paint(some(4 + random.below(4), () => height * random.between(0.16, 0.42)), { fill: coat.mark, clip })
      break
    case 'spots':
      sketch.paint(some(14 + random.below(14), () => height * random.between(0.03, 0.08)), { fill: coat.mark, clip, opacity: 0.9 })
      break
    case 'stripes': {
      const lines = Array.from({ length: 8 + random.below(4) }, (_, i) => {
        const x = box.left + (width * (i + random.between(0.2, 0.8))) / 9
        return sketch.tube([[x, box.top - 2, height * 0.045], [x + height * random.between(-0.08, 0.08), box.top + height * 0.3, height * 0.03], [x + height * random.between(-0.1, 0.1), box.top + height * random.between(0.45, 0.8), 0.4]])
      })
      sketch.paint(lines, { fill: coat.mark, clip, opacity: 0.75 })
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
