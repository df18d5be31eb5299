import { type KeyedRandom } from '../../shared/random/philox.ts'
import { coatFill, paintMarkings, paintShadow, randomCoat } from './coat.ts'
import { colour, darker, lighter } from './colour.ts'
import { type HeadPlan, paintFrontHead, paintProfileHead } from './head.ts'
import { type Disc, type Sketch } from './sketch.ts'

const HEAD: HeadPlan = { skull: 17, muzzle: 20, nose: 7.5, ear: 'pointed', earLength: 14, whiskers: true }

/** Paints a squirrel on y = 0, facing +x: upright, mostly with a nut, or running; its tail is bushy and as large as the body. */
export function paintSquirrel(sketch: Sketch, random: KeyedRandom): void {
  const coat = randomCoat(random, ['plain', 'plain', 'plain', 'saddle'], ['ginger', 'rust'])
  paintShadow(sketch, -6, 46)
  const upright = random.uniform() < 0.78
  const bushy = random.between(0.9, 1.25)
  const tail: Disc[] = upright
    ? [[-18, -10, 8], [-44, -22, 15 * bushy], [-52, -58, 20 * bushy], [-42, -92, 20 * bushy], [-50 - random.between(0, 22), -112, 13 * bushy], [-66, -100, 5]]
    : [[-34, -30, 8], [-62, -44, 14 * bushy], [-76, -72, 18 * bushy], [-62 + random.between(-10, 14), -100, 17 * bushy], [-78, -116, 9]]
  const tailShape = sketch.tube(tail)
  sketch.paint(tailShape, { fill: sketch.linear([-80, -120], [-20, 0], [lighter(coat.base, 0.3), coat.base, darker(coat.base, 0.3)]), outline: coat.outline })
  const hairs = tail.slice(1, -1).flatMap(([x, y, r], i) => {
    const [px, py] = tail[i]
    const length = Math.hypot(x - px, y - py)
    const [u, v] = [(x - px) / length, (y - py) / length]
    return [-0.6, 0, 0.6].map((k) => sketch.curve([[x - v * r * k - u * r * 0.6, y + u * r * k - v * r * 0.6], [x - v * r * k * 1.3 + u * r * 0.3, y + u * r * k * 1.3 + v * r * 0.3]]))
  })
  sketch.stroke(hairs, coat.pattern === 'plain' ? darker(coat.base, 0.4) : coat.mark, 1.6, 0.6, sketch.clip(tailShape))

  const body: Disc[] = upright ? [[-10, -24, 24], [2, -50, 19], [12, -72, 14]] : [[-26, -27, 20], [6, -30, 17], [30, -38, 13]]
  const headAt = upright ? { x: 17, y: -90 } : { x: 46, y: -50 }
  const shapes = [sketch.tube(body), sketch.tube([[body[2][0], body[2][1], 12], [headAt.x, headAt.y, 12]])]
  if (upright) shapes.push(sketch.tube([[-8, -20, 17], [18, -5, 5.5], [26, -5, 4.5]]))
  else shapes.push(sketch.tube([[-24, -22, 15], [-34, -10, 6], [-22, -4, 4.5]]), sketch.tube([[28, -30, 8], [40, -14, 4.5], [48, -4, 4]]))
  const clip = sketch.clip(shapes)
  sketch.paint(shapes, { fill: coatFill(sketch, coat, -95, 0), outline: coat.outline })
  paintMarkings(sketch, coat, clip, { left: -34, right: 36, top: upright ? -85 : -52, bottom: 0 }, random)
  if (upright) sketch.paint(sketch.tube([[16, -66, 7], [14, -44, 9], [8, -24, 8]]), { fill: lighter(coat.base, 0.7), clip, opacity: 0.75 })
  const head = sketch.at({ ...headAt, rotate: upright ? random.between(-12, 14) : random.between(-15, 10) })
  if (random.uniform() < 0.25) paintFrontHead(head, HEAD, coat, random)
  else paintProfileHead(head, HEAD, coat, random)
  if (!upright) return
  if (random.uniform() < 0.7) {
    sketch.paint(sketch.ellipse(36, -60, 7, 9, 20), { fill: colour('#a8703a'), outline: coat.outline })
    sketch.paint(sketch.ellipse(37, -67, 7.5, 4, 20), { fill: colour('#5d4128') })
  }
  for (const y of [-62, -56]) sketch.paint(sketch.tube([[12, y - 2, 6], [24, y + 6, 4.5], [34, y + 2, 3.8]]), { fill: darker(coat.base, 0.08), outline: coat.outline })
}
