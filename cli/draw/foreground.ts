import { type KeyedRandom } from '../../shared/random/philox.ts'
import { type View } from './background.ts'
import { type Colour, colour, darker, hsl, lighter, mix } from './colour.ts'
import { type Point, type Sketch } from './sketch.ts'

/** Paints a thing that lies about and belongs to no class: a ball, stone, bush, bucket or mushroom. */
export function paintDistractor(sketch: Sketch, view: View, random: KeyedRandom): void {
  const tint = hsl(random.between(0, 360), random.between(0.2, 0.8), random.between(0.3, 0.65))
  const size = random.between(8, 24)
  const x = random.between(0, view.width)
  const y = random.between(view.horizon + 5, view.height - 5)
  const shade = (base: Colour): string => sketch.linear([x, y - 2 * size], [x, y], [lighter(base, 0.3), darker(base, 0.3)])
  switch (random.pick(['ball', 'stone', 'bush', 'bucket', 'mushroom'] as const)) {
    case 'ball':
      sketch.paint(sketch.ellipse(x, y - size * 0.6, size * 0.6), { fill: sketch.radial([x - size * 0.2, y - size * 0.8], size, [lighter(tint, 0.5), tint, darker(tint, 0.4)]) })
      break
    case 'stone':
      sketch.paint(sketch.blob([[x - size, y], [x - size * 0.7, y - size * 0.7], [x, y - size], [x + size * 0.8, y - size * 0.6], [x + size, y]]), { fill: shade(colour('#8b857d')) })
      break
    case 'bush':
      sketch.paint([-0.8, -0.2, 0.4, 0.9].map((k) => sketch.ellipse(x + k * size, y - size * random.between(0.4, 0.9), size * 0.6)), { fill: shade(hsl(random.between(60, 130), 0.4, 0.32)) })
      break
    case 'bucket':
      sketch.paint(sketch.polygon([[x - size * 0.5, y], [x + size * 0.5, y], [x + size * 0.7, y - size], [x - size * 0.7, y - size]]), { fill: shade(tint) })
      sketch.paint(sketch.ellipse(x, y - size, size * 0.7, size * 0.2), { fill: darker(tint, 0.5) })
      break
    case 'mushroom':
      sketch.paint(sketch.tube([[x, y, size * 0.18], [x, y - size * 0.6, size * 0.16]]), { fill: colour('#efe3cd') })
      sketch.paint(sketch.blob([[x - size * 0.6, y - size * 0.55], [x, y - size * 1.15], [x + size * 0.6, y - size * 0.55], [x, y - size * 0.45]]), { fill: tint })
      break
  }
}

/** Paints something between the viewer and the animal: grass, a branch, a post, wire, falling snow or leaves. */
export function paintOccluder(sketch: Sketch, view: View, random: KeyedRandom): void {
  const { width, height } = view
  const green = hsl(random.between(60, 130), random.between(0.25, 0.6), random.between(0.2, 0.45))
  const wood = hsl(random.between(15, 40), random.between(0.1, 0.4), random.between(0.18, 0.5))
  switch (random.pick(['grass', 'grass', 'grass', 'branch', 'post', 'post', 'wire', 'flakes'] as const)) {
    case 'grass': {
      const reach = random.between(0.08, 0.24) * height
      for (const tint of [darker(green, 0.25), green]) {
        const blades = Array.from({ length: 26 }, () => {
          const x = random.between(0, width)
          const lean = random.between(-14, 14)
          return sketch.blob([[x - 2.4, height + 4], [x + lean * 0.4 - 1, height - reach * 0.5], [x + lean, height - reach * random.between(0.6, 1.15)], [x + lean * 0.4 + 1.6, height - reach * 0.5], [x + 2.4, height + 4]])
        })
        sketch.paint(blades, { fill: tint })
      }
      break
    }
    case 'branch': {
      const [from, to] = [random.between(0, height * 0.9), random.between(0, height * 0.9)]
      const line: Point[] = [[-5, from], [width * 0.5, (from + to) / 2 + random.between(-15, 15)], [width + 5, to]]
      sketch.stroke(sketch.curve(line), wood, random.between(3, 8))
      const leaves = Array.from({ length: 9 }, () => {
        const part = random.uniform()
        return sketch.ellipse(part * width, from + (to - from) * part + random.between(-14, 14), 8, 3.6, random.between(0, 180))
      })
      sketch.paint(leaves, { fill: mix(green, hsl(30, 0.6, 0.45), random.uniform() * 0.6) })
      break
    }
    case 'post': {
      const x = random.between(0.05, 0.95) * width
      const half = random.between(4, 11)
      sketch.paint(sketch.polygon([[x - half, random.between(-10, height * 0.4)], [x + half, -5], [x + half, height + 5], [x - half, height + 5]]), { fill: sketch.linear([x - half, 0], [x + half, 0], [lighter(wood, 0.2), darker(wood, 0.3)]) })
      break
    }
    case 'wire': {
      const gap = random.between(24, 48)
      const lines = Array.from({ length: Math.ceil((2 * width) / gap) }, (_, i) => [sketch.curve([[i * gap - height, 0], [i * gap, height]]), sketch.curve([[i * gap, 0], [i * gap - height, height]])]).flat()
      sketch.stroke(lines, colour('#a9adb3'), 1.3, 0.7)
      break
    }
    case 'flakes':
      sketch.paint(Array.from({ length: 40 }, () => sketch.ellipse(random.between(0, width), random.between(0, height), random.between(0.8, 3.2))), { fill: random.uniform() < 0.6 ? colour('#ffffff') : hsl(random.between(15, 60), 0.6, 0.5), opacity: 0.85 })
      break
  }
}

/**
 * Paints the light over everything: warm or cold, dusk, overexposure, a shaft of sun, darker corners.
 * @returns SVG elements to lay over the whole picture; the shaft of sun goes into the sketch.
 */
export function paintLight(sketch: Sketch, view: View, random: KeyedRandom): string {
  const all = `width="${view.width}" height="${view.height}"`
  const layers: string[] = []
  const veil = (tint: Colour, strength: number): number =>
    layers.push(`<rect ${all} fill="rgb(${tint.map(Math.round).join(',')})" opacity="${Math.round(strength * 100) / 100}"/>`)
  switch (random.pick(['plain', 'plain', 'plain', 'plain', 'warm', 'cold', 'dusk', 'dark', 'bright', 'shaft'] as const)) {
    case 'plain':
      break
    case 'warm':
      veil(hsl(random.between(25, 45), 0.9, 0.55), random.between(0.08, 0.22))
      break
    case 'cold':
      veil(hsl(random.between(195, 225), 0.7, 0.5), random.between(0.08, 0.22))
      break
    case 'dusk':
      veil(hsl(random.between(270, 380), 0.5, 0.25), random.between(0.12, 0.28))
      break
    case 'dark':
      veil(colour('#0b1020'), random.between(0.15, 0.35))
      break
    case 'bright':
      veil(colour('#fffaf0'), random.between(0.1, 0.25))
      break
    case 'shaft': {
      const x = random.between(0, view.width)
      sketch.paint(sketch.polygon([[x, -5], [x + view.width * 0.25, -5], [x + view.width * random.between(-0.4, 0.6), view.height + 5], [x - view.width * random.between(0.2, 0.6), view.height + 5]]), { fill: colour('#fff3c4'), opacity: random.between(0.12, 0.28) })
      break
    }
  }
  if (random.uniform() < 0.4) {
    layers.push(`<defs><radialGradient id="vignette" r="0.75"><stop offset="55%" stop-opacity="0"/><stop offset="100%" stop-opacity="${Math.round(random.between(0.25, 0.6) * 100) / 100}"/></radialGradient></defs><rect ${all} fill="url(#vignette)"/>`)
  }
  return layers.join('')
}
