import { type KeyedRandom } from '../../shared/random/philox.ts'
import { coatFill, paintMarkings, paintShadow, randomCoat } from './coat.ts'
import { colour, darker, lighter, mix } from './colour.ts'
import { type Disc, type Sketch } from './sketch.ts'

/** Paints a hen on y = 0, facing +x: standing, walking, pecking or sitting on its nest. */
export function paintHen(sketch: Sketch, random: KeyedRandom): void {
  const coat = randomCoat(random, ['plain', 'plain', 'plain', 'spots'], ['rust', 'white', 'wool'])
  const pose = random.pick(['stand', 'stand', 'walk', 'peck', 'nest'] as const)
  const body = sketch.at({ x: 0, y: pose === 'nest' ? 26 : 0, rotate: pose === 'peck' ? 12 : random.between(-8, 5) })
  const red = mix(colour('#d23a35'), coat.accent, 0.15)
  const yellow = colour('#e0a53a')
  paintShadow(sketch, 0, 42)
  if (pose !== 'nest') {
    const stride = pose === 'walk' ? random.between(8, 16) : random.between(1, 5)
    for (const [x, footX, dim] of [[4, 4 + stride, 0.25], [-6, -6 - stride, 0]] as const) {
      const skin = darker(yellow, dim)
      sketch.stroke([
        sketch.curve([[x, -34], [(x + footX) / 2 - 3, -16], [footX, -2]]),
        sketch.curve([[footX, -2], [footX + 11, 0]]), sketch.curve([[footX, -2], [footX + 8, -5]]), sketch.curve([[footX, -2], [footX - 7, 0]]),
      ], skin, 3.2)
    }
  }
  const plumes = Array.from({ length: 6 }, (_, i): readonly Disc[] => {
    const angle = ((100 + i * 15 + random.between(-5, 5)) * Math.PI) / 180
    const length = random.between(40, 56)
    return [[-30, -56, 7], [-34 + Math.cos(angle) * length * 0.6 - 8, -58 - Math.sin(angle) * length * 0.7, 7.5], [-38 + Math.cos(angle) * length - 10, -58 - Math.sin(angle) * length * 0.85, 4]]
  })
  for (const plume of plumes) body.paint(body.tube(plume), { fill: random.uniform() < 0.5 ? darker(coat.base, 0.25) : coat.mark, outline: coat.outline })
  const stretch: readonly Disc[] = pose === 'peck'
    ? [[24, -56, 19], [46, -48, 11], [58, -26, 9]]
    : [[22, -60, 20], [36, -82, 11], [40, -102, 9]]
  const shapes = [body.blob([[-44, -64], [-20, -64], [6, -74], [34, -74], [42, -52], [26, -30], [-4, -23], [-32, -36]]), body.tube(stretch)]
  const clip = body.clip(shapes)
  body.paint(shapes, { fill: coatFill(body, coat, -108, -20), outline: coat.outline })
  paintMarkings(body, coat, clip, { left: -46, right: 44, top: -78, bottom: -22 }, random)
  const wing = body.blob([[-32, -60], [-6, -66], [14, -56], [8, -40], [-14, -36], [-34, -46]])
  body.paint(wing, { fill: darker(coat.base, 0.14), outline: coat.outline })
  body.stroke([0, 1, 2].map((k) => body.curve([[-26 + k * 6, -42 - k * 3], [-10 + k * 7, -44 - k * 2], [0 + k * 5, -52 - k * 2]])), coat.ink, 1.2, 0.6)
  if (pose === 'nest') paintNest(sketch, random)

  const [headX, headY] = stretch[2]
  const head = body.at({ x: headX, y: headY, rotate: pose === 'peck' ? 55 : random.between(-12, 16) })
  const comb = [[-7, -9], [-1, -13], [5, -12]].map(([x, y]) => head.ellipse(x, y, 4.4, 6))
  head.paint(comb, { fill: red, outline: coat.outline })
  head.paint(head.ellipse(0, 0, 11, 10.5), { fill: lighter(coat.base, 0.08), outline: coat.outline })
  head.paint(head.polygon([[8, -4], [22, 1.5], [8, 5]]), { fill: yellow, outline: coat.outline })
  head.stroke(head.curve([[9, 1.2], [19, 1.5]]), coat.ink, 0.7)
  head.paint(head.blob([[6, 5], [10, 6], [10, 15], [6, 16], [4, 10]]), { fill: red, outline: coat.outline })
  head.paint(head.ellipse(3.5, -2.5, 3), { fill: colour('#f6d9a0') })
  head.paint(head.ellipse(4, -2.5, 2), { fill: colour('#15100f') })
}

function paintNest(sketch: Sketch, random: KeyedRandom): void {
  const straws = Array.from({ length: 40 }, () => {
    const x = random.between(-52, 46)
    const y = random.between(-16, 0)
    return sketch.curve([[x, y], [x + random.between(-18, 18), y + random.between(-7, 4)]])
  })
  sketch.paint(sketch.ellipse(-3, -6, 56, 12), { fill: colour('#8a6a35') })
  sketch.stroke(straws, colour('#caa257'), 1.8, 0.9)
}
