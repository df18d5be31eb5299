import { type KeyedRandom } from '../../shared/random/philox.ts'
import { type Colour, colour, darker, hsl, lighter, mix } from './colour.ts'
import { type Point, type Sketch } from './sketch.ts'

export interface View {
  readonly width: number
  readonly height: number
  /** y of the line where the ground meets the scene behind it. */
  readonly horizon: number
}

const SCENES = ['meadow', 'meadow', 'hills', 'forest', 'snow', 'room', 'sky', 'sand', 'night', 'wall', 'farm', 'blurred'] as const

/** Paints the scene behind the animal. It is chosen without regard to the class, so that it does not give the class away. */
export function paintBackground(sketch: Sketch, view: View, random: KeyedRandom): void {
  const scene = random.pick(SCENES)
  const green = hsl(random.between(65, 130), random.between(0.25, 0.6), random.between(0.28, 0.5))
  const blue = hsl(random.between(190, 225), random.between(0.3, 0.75), random.between(0.6, 0.82))
  switch (scene) {
    case 'meadow':
    case 'hills':
    case 'farm':
      paintSky(sketch, view, blue, random)
      if (scene !== 'meadow' || random.uniform() < 0.4) paintHills(sketch, view, mix(green, blue, 0.35), random)
      if (random.uniform() < 0.5) paintTrees(sketch, view, darker(green, 0.25), random)
      paintGround(sketch, view, green)
      if (scene === 'farm') paintFence(sketch, view, random)
      paintTufts(sketch, view, green, random)
      if (random.uniform() < 0.5) paintFlowers(sketch, view, random)
      break
    case 'forest':
      fill(sketch, view, 0, view.height, [mix(darker(green, 0.45), blue, 0.25), darker(green, 0.35)])
      paintTrunks(sketch, view, green, random)
      paintGround(sketch, view, mix(darker(green, 0.35), colour('#6b4a2b'), random.uniform()))
      paintTufts(sketch, view, darker(green, 0.2), random)
      break
    case 'snow':
      paintSky(sketch, view, mix(blue, colour('#c9ced6'), 0.6), random)
      paintTrees(sketch, view, mix(darker(green, 0.4), colour('#dfe7ee'), 0.3), random)
      paintGround(sketch, view, colour('#e3e9f0'))
      break
    case 'room':
      paintRoom(sketch, view, random)
      break
    case 'sky':
      paintSky(sketch, { ...view, horizon: view.height }, blue, random)
      paintClouds(sketch, view, random)
      paintTufts(sketch, { ...view, horizon: view.height * 0.92 }, green, random)
      break
    case 'sand':
      paintSky(sketch, view, mix(blue, colour('#f0d9a8'), random.uniform()), random)
      paintHills(sketch, view, colour('#c79a5f'), random)
      paintGround(sketch, view, hsl(random.between(28, 44), 0.45, random.between(0.5, 0.72)))
      paintStones(sketch, view, random)
      break
    case 'night':
      fill(sketch, view, 0, view.height, [hsl(random.between(220, 260), 0.4, 0.1), hsl(random.between(220, 260), 0.3, 0.28)])
      sketch.paint(Array.from({ length: 25 }, () => sketch.ellipse(random.between(0, view.width), random.between(0, view.horizon), random.between(0.4, 1.1))), { fill: colour('#fff6da'), opacity: 0.8 })
      sketch.paint(sketch.ellipse(random.between(0, view.width), random.between(10, view.horizon * 0.6), random.between(9, 20)), { fill: colour('#f7efcf') })
      paintHills(sketch, view, hsl(230, 0.25, 0.17), random)
      paintGround(sketch, view, darker(green, 0.6))
      break
    case 'wall':
      paintWall(sketch, view, random)
      break
    case 'blurred':
      paintLights(sketch, view, random)
      break
  }
}

function fill(sketch: Sketch, view: View, top: number, bottom: number, stops: readonly Colour[]): void {
  sketch.paint(sketch.polygon([[-2, top], [view.width + 2, top], [view.width + 2, bottom + 1], [-2, bottom + 1]]), { fill: sketch.linear([0, top], [0, bottom], stops) })
}

function paintSky(sketch: Sketch, view: View, blue: Colour, random: KeyedRandom): void {
  const dusk = random.uniform() < 0.25 ? hsl(random.between(8, 45), 0.7, 0.72) : lighter(blue, 0.55)
  fill(sketch, view, 0, view.horizon, [blue, dusk])
  if (random.uniform() < 0.4) paintClouds(sketch, view, random)
}

function paintClouds(sketch: Sketch, view: View, random: KeyedRandom): void {
  for (let i = 0; i < 3; i++) {
    const [x, y, size] = [random.between(0, view.width), random.between(0, view.horizon * 0.6), random.between(8, 24)]
    const puffs = [-1.4, -0.5, 0.5, 1.4].map((k) => sketch.ellipse(x + k * size, y - random.between(0, 0.5) * size, size * random.between(0.7, 1.1), size * 0.6))
    sketch.paint(puffs, { fill: colour('#ffffff'), opacity: random.between(0.4, 0.9) })
  }
}

function paintGround(sketch: Sketch, view: View, base: Colour): void {
  fill(sketch, view, view.horizon, view.height, [lighter(base, 0.2), base, darker(base, 0.25)])
}

function paintHills(sketch: Sketch, view: View, base: Colour, random: KeyedRandom): void {
  for (const depth of [0.5, 0.2]) {
    const tops = Array.from({ length: 7 }, (_, i): Point => [(view.width * (i - 0.5)) / 5, view.horizon - random.between(0.02, 0.28) * view.height * (depth + 0.5)])
    sketch.paint(sketch.blob([...tops, [view.width * 1.2, view.horizon + 20], [-view.width * 0.2, view.horizon + 20]]), { fill: mix(base, colour('#dfe9f5'), depth) })
  }
}

function paintTrees(sketch: Sketch, view: View, leaf: Colour, random: KeyedRandom): void {
  const conifers = random.uniform() < 0.5
  for (let i = 3 + random.below(5); i > 0; i--) {
    const [x, size] = [random.between(0, view.width), random.between(0.1, 0.3) * view.height]
    const y = view.horizon + 3
    const tint = mix(leaf, hsl(random.between(20, 120), 0.4, 0.35), 0.3)
    sketch.paint(sketch.polygon([[x - size * 0.07, y], [x + size * 0.07, y], [x + size * 0.05, y - size * 0.5], [x - size * 0.05, y - size * 0.5]]), { fill: colour('#5b432f') })
    if (conifers) sketch.paint([0, 1, 2].map((k) => sketch.polygon([[x - size * (0.42 - k * 0.1), y - size * (0.25 + k * 0.35)], [x + size * (0.42 - k * 0.1), y - size * (0.25 + k * 0.35)], [x, y - size * (0.85 + k * 0.3)]])), { fill: tint })
    else sketch.paint([[-0.25, 0.6], [0.25, 0.65], [0, 0.95]].map(([dx, dy]) => sketch.ellipse(x + dx * size, y - dy * size, size * 0.36, size * 0.32)), { fill: tint })
  }
}

function paintTrunks(sketch: Sketch, view: View, leaf: Colour, random: KeyedRandom): void {
  for (let i = 5 + random.below(5); i > 0; i--) {
    const [x, width] = [random.between(0, view.width), random.between(4, 16)]
    const bark = mix(hsl(random.between(18, 40), 0.25, random.between(0.18, 0.4)), leaf, 0.2)
    sketch.paint(sketch.polygon([[x - width / 2, -5], [x + width / 2, -5], [x + width * 0.65, view.horizon + random.between(2, 14)], [x - width * 0.65, view.horizon + 6]]), { fill: bark })
  }
  sketch.paint(Array.from({ length: 14 }, () => sketch.ellipse(random.between(0, view.width), random.between(-10, view.horizon * 0.5), random.between(12, 30), random.between(8, 18))), { fill: darker(leaf, 0.2), opacity: 0.6 })
}

function paintTufts(sketch: Sketch, view: View, green: Colour, random: KeyedRandom): void {
  const blades = Array.from({ length: 45 }, () => {
    const [x, y, size] = [random.between(0, view.width), random.between(view.horizon, view.height), random.between(3, 9)]
    return sketch.polygon([[x - 1.2, y], [x + 1.2, y], [x + random.between(-4, 4), y - size]])
  })
  sketch.paint(blades, { fill: random.uniform() < 0.5 ? darker(green, 0.3) : lighter(green, 0.25), opacity: 0.7 })
}

function paintFlowers(sketch: Sketch, view: View, random: KeyedRandom): void {
  const petal = hsl(random.between(0, 360), 0.7, 0.7)
  const places = Array.from({ length: 9 + random.below(8) }, (): Point => [random.between(0, view.width), random.between(view.horizon + 4, view.height)])
  sketch.paint(places.flatMap(([x, y]) => [0, 1, 2, 3].map((k) => sketch.ellipse(x + 2.4 * Math.cos(k * 1.57), y + 2.4 * Math.sin(k * 1.57), 2))), { fill: petal })
  sketch.paint(places.map(([x, y]) => sketch.ellipse(x, y, 1.5)), { fill: colour('#f2c84b') })
}

function paintFence(sketch: Sketch, view: View, random: KeyedRandom): void {
  const wood = hsl(random.between(15, 40), random.between(0.05, 0.35), random.between(0.3, 0.75))
  const y = view.horizon + 4
  const height = random.between(24, 48)
  const posts = Array.from({ length: 8 }, (_, i) => (i * view.width) / 7 - 4)
  sketch.paint(posts.map((x) => sketch.polygon([[x, y], [x + 6, y], [x + 6, y - height], [x, y - height]])), { fill: wood })
  sketch.paint([0.35, 0.75].map((k) => sketch.polygon([[0, y - height * k], [view.width, y - height * k - 2], [view.width, y - height * k + 3], [0, y - height * k + 5]])), { fill: darker(wood, 0.15) })
}

function paintRoom(sketch: Sketch, view: View, random: KeyedRandom): void {
  const wall = hsl(random.between(0, 360), random.between(0.05, 0.4), random.between(0.45, 0.85))
  const floor = hsl(random.between(15, 40), random.between(0.15, 0.5), random.between(0.25, 0.6))
  fill(sketch, view, 0, view.horizon, [wall, darker(wall, 0.15)])
  if (random.uniform() < 0.4) {
    const lines = Array.from({ length: 16 }, (_, i) => sketch.polygon([[(i * view.width) / 15, 0], [(i * view.width) / 15 + 5, 0], [(i * view.width) / 15 + 5, view.horizon], [(i * view.width) / 15, view.horizon]]))
    sketch.paint(lines, { fill: lighter(wall, 0.3), opacity: 0.6 })
  }
  fill(sketch, view, view.horizon, view.height, [lighter(floor, 0.1), darker(floor, 0.2)])
  sketch.stroke(Array.from({ length: 9 }, (_, i) => sketch.curve([[view.width * (0.5 + (i - 4) * 0.14), view.horizon], [view.width * (0.5 + (i - 4) * 0.3), view.height]])), darker(floor, 0.4), 0.8, 0.6)
  const [x, y, w, h] = [random.between(0, view.width * 0.8), random.between(0, view.horizon * 0.3), random.between(35, 80), random.between(35, 70)]
  sketch.paint(sketch.polygon([[x, y], [x + w, y], [x + w, y + h], [x, y + h]]), { fill: hsl(random.between(180, 240), 0.4, random.between(0.3, 0.85)), outline: { colour: lighter(wall, 0.6), width: 3 } })
  const [sofaX, sofaY] = [random.between(-20, view.width), view.horizon + 8]
  if (random.uniform() < 0.5) sketch.paint(sketch.blob([[sofaX, sofaY], [sofaX, sofaY - 45], [sofaX + 20, sofaY - 52], [sofaX + 90, sofaY - 52], [sofaX + 110, sofaY - 45], [sofaX + 110, sofaY]]), { fill: hsl(random.between(0, 360), 0.4, random.between(0.25, 0.6)) })
}

function paintWall(sketch: Sketch, view: View, random: KeyedRandom): void {
  const base = hsl(random.between(0, 360), random.between(0, 0.35), random.between(0.25, 0.85))
  fill(sketch, view, 0, view.height, [lighter(base, 0.2), darker(base, 0.2)])
  const bricks: string[] = []
  const size = random.between(14, 26)
  for (let row = 0; row * size * 0.5 < view.horizon; row++) {
    for (let x = (row % 2) * size * 0.5 - size; x < view.width; x += size) bricks.push(sketch.polygon([[x, row * size * 0.5], [x + size - 2, row * size * 0.5], [x + size - 2, row * size * 0.5 + size * 0.5 - 2], [x, row * size * 0.5 + size * 0.5 - 2]]))
  }
  sketch.paint(bricks, { fill: mix(base, colour('#9b4a35'), 0.35), opacity: random.between(0.1, 0.7) })
  fill(sketch, view, view.horizon, view.height, [darker(base, 0.3), darker(base, 0.5)])
}

function paintStones(sketch: Sketch, view: View, random: KeyedRandom): void {
  for (let i = 0; i < 8; i++) {
    const [x, y, size] = [random.between(0, view.width), random.between(view.horizon + 4, view.height), random.between(3, 13)]
    sketch.paint(sketch.ellipse(x, y, size, size * 0.6), { fill: sketch.linear([0, y - size], [0, y + size], [colour('#bdb1a2'), colour('#6d6258')]) })
  }
}

/** Paints soft discs of light, like the blurred background of a close-up. */
function paintLights(sketch: Sketch, view: View, random: KeyedRandom): void {
  const hue = random.between(0, 360)
  fill(sketch, view, 0, view.height, [hsl(hue, 0.35, random.between(0.3, 0.7)), hsl(hue + random.between(-50, 50), 0.35, random.between(0.2, 0.6))])
  for (let i = 0; i < 12; i++) {
    sketch.paint(sketch.ellipse(random.between(0, view.width), random.between(0, view.height), random.between(10, 45)), { fill: hsl(hue + random.between(-60, 60), 0.45, random.between(0.25, 0.8)), opacity: random.between(0.1, 0.35) })
  }
}
