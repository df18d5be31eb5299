import { type KeyedRandom } from '../../shared/random/philox.ts'
import { type Coat, randomCoat } from './coat.ts'
import { type Colour, darker, lighter } from './colour.ts'
import { type Point, type Sketch } from './sketch.ts'

/** Paints a butterfly above y = 0: its wings spread, seen from above and slightly turned, or folded up, seen from the side. */
export function paintButterfly(sketch: Sketch, random: KeyedRandom): void {
  const coat = randomCoat(random, ['plain', 'spots', 'stripes'], ['ginger', 'sand', 'white', 'brown'])
  const tint = random.uniform() < 0.8 ? coat.accent : coat.base
  if (random.uniform() < 0.85) {
    const frame = sketch.at({ x: 0, y: -52, rotate: random.between(-25, 25) })
    const close = random.between(0.75, 1)
    const shape = wingShape(random)
    const marks = wingMarks(random)
    for (const side of [-1, 1] as const) paintWings(frame, (x, y) => [side * x * close, y], shape, marks, tint, coat)
    paintBody(frame, coat)
  } else {
    const frame = sketch.at({ x: 0, y: -30, rotate: random.between(-30, 12) })
    const shape = wingShape(random)
    const marks = wingMarks(random)
    const folded = (lean: number) => (x: number, y: number): Point => [y * 0.75 - x * lean, -x * 0.95]
    paintWings(frame, folded(0.35), shape, marks, darker(tint, 0.2), coat)
    paintWings(frame, folded(0.1), shape, marks, tint, coat)
    paintBody(frame.at({ x: 2, y: 0, rotate: 80 }), coat)
    frame.stroke([frame.curve([[4, 3], [10, 14], [8, 22]]), frame.curve([[10, 2], [18, 12], [18, 22]]), frame.curve([[0, 3], [-4, 14], [-2, 22]])], coat.ink, 1.2)
  }
}

interface WingShape {
  readonly upper: readonly Point[]
  readonly lower: readonly Point[]
}

/** Outlines of both wings of the right side; the body lies along x = 0 with the head at negative y. */
function wingShape(random: KeyedRandom): WingShape {
  const reach = random.between(0.88, 1.15)
  const tall = random.between(0.85, 1.15)
  const tail = random.between(0, 18)
  const scaled = (points: readonly Point[]): Point[] => points.map(([x, y]) => [x * reach, y * tall])
  return {
    upper: scaled([[2, -10], [22, -40], [56, -50], [66, -38], [56, -12], [34, 2], [3, 4]]),
    lower: scaled([[3, 0], [34, 2], [50, 14], [48, 32], [32, 44 + tail], [20, 38], [4, 18]]),
  }
}

interface WingMarks {
  readonly border: number
  readonly eyes: readonly (readonly [number, number, number])[]
  readonly dots: number
}

function wingMarks(random: KeyedRandom): WingMarks {
  const count = random.below(3)
  return {
    border: random.pick([0, 0.8, 0.86]),
    eyes: Array.from({ length: count }, (_, i) => (i === 0 ? [46, -30, random.between(5, 9)] : [34, 24, random.between(5, 9)] as const)),
    dots: random.pick([0, 4, 5]),
  }
}

function paintWings(sketch: Sketch, place: (x: number, y: number) => Point, shape: WingShape, marks: WingMarks, tint: Colour, coat: Coat): void {
  const outer: readonly [readonly Point[], Point, Colour][] = [
    [shape.lower, [24, 18], darker(tint, 0.12)],
    [shape.upper, [36, -22], tint],
  ]
  for (const [points, [cx, cy], fill] of outer) {
    const path = sketch.blob(points.map(([x, y]) => place(x, y)))
    const clip = sketch.clip(path)
    sketch.paint(path, { fill: marks.border > 0 ? coat.ink : sketch.radial(place(0, 0), 75, [lighter(fill, 0.35), fill, darker(fill, 0.25)]), outline: coat.outline })
    if (marks.border > 0) {
      const inner = sketch.blob(points.map(([x, y]) => place(cx + (x - cx) * marks.border, cy + (y - cy) * marks.border)))
      sketch.paint(inner, { fill: sketch.radial(place(0, 0), 75, [lighter(fill, 0.35), fill, darker(fill, 0.15)]), clip })
    }
    const veins = points.slice(1, -1).map(([x, y]) => sketch.curve([place(3, 0), place(x * 0.55 + 2, y * 0.45), place(x, y)]))
    sketch.stroke(veins, coat.ink, 0.9, 0.5, clip)
    if (coat.pattern === 'stripes') sketch.stroke([0.45, 0.65].map((k) => sketch.curve(points.slice(1, -1).map(([x, y]) => place(x * k, y * k)))), coat.mark, 3, 0.8, clip)
    if (marks.dots > 0) {
      const rim = points.slice(1, -1).slice(0, marks.dots).map(([x, y]) => sketch.ellipse(...place(cx + (x - cx) * 0.9, cy + (y - cy) * 0.9), 2.2))
      sketch.paint(rim, { fill: lighter(coat.mark, 0.5), clip })
    }
  }
  for (const [x, y, radius] of marks.eyes) {
    const [px, py] = place(x, y)
    sketch.paint(sketch.ellipse(px, py, radius), { fill: coat.mark })
    sketch.paint(sketch.ellipse(px, py, radius * 0.6), { fill: coat.ink })
    sketch.paint(sketch.ellipse(px - 1, py - 1, radius * 0.2), { fill: lighter(coat.mark, 0.8) })
  }
}

function paintBody(sketch: Sketch, coat: Coat): void {
  sketch.stroke([-1, 1].map((side) => sketch.curve([[side, -18], [side * 6, -32], [side * 14, -42]])), coat.ink, 1.3)
  sketch.paint([-1, 1].map((side) => sketch.ellipse(side * 14, -42, 2)), { fill: coat.ink })
  sketch.paint(sketch.tube([[0, -12, 4.5], [0, 4, 4.2], [0, 30, 2.2]]), { fill: coat.ink })
  sketch.paint(sketch.ellipse(0, -17, 4.8), { fill: coat.ink })
  sketch.stroke([8, 15, 22].map((y) => sketch.curve([[-3, y], [3, y]])), lighter(coat.base, 0.3), 1, 0.6)
}
