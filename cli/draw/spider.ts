import { type KeyedRandom } from '../../shared/random/philox.ts'
import { coatFill, paintMarkings, randomCoat } from './coat.ts'
import { type Colour, colour, darker, lighter } from './colour.ts'
import { type Point, type Sketch } from './sketch.ts'

/** Paints a spider above y = 0, its eight legs spread: on its web, on a thread, or on the ground. */
export function paintSpider(sketch: Sketch, random: KeyedRandom): void {
  const coat = randomCoat(random, ['plain', 'spots', 'stripes', 'saddle'], ['black', 'umber'])
  const place = random.pick(['web', 'thread', 'ground', 'ground'] as const)
  const silk = colour('#e9e9ee')
  const centre = sketch.at({ x: 0, y: -55 })
  if (place === 'web') paintWeb(centre, silk, random)
  if (place === 'thread') centre.stroke(centre.curve([[0, 0], [random.between(-8, 8), -200]]), silk, 1.2, 0.8)
  const frame = centre.at({ x: 0, y: 0, rotate: place === 'thread' ? random.between(150, 210) : place === 'ground' ? random.between(-60, 60) : random.between(0, 360) })
  const belly = random.between(17, 25)
  const reach = random.between(0.85, 1.2)
  const thick = random.between(1.6, 3.4)
  for (const side of [-1, 1] as const) {
    for (let i = 0; i < 4; i++) {
      const angle = ((-58 + i * 38 + random.between(-7, 7)) * Math.PI) / 180
      const bend = i < 2 ? -1 : 1
      const at = (radius: number, turn: number): Point => [side * radius * reach * Math.cos(angle + turn), -8 + radius * reach * Math.sin(angle + turn)]
      const knee = at(34, bend * 0.38)
      const ankle = at(54, bend * 0.22)
      const foot = at(72, bend * random.between(-0.1, 0.15))
      const widths = [1.1, 1.05, 1, 0.75, 0.35]
      const leg = frame.tube([at(5, 0), at(20, bend * 0.3), knee, ankle, foot].map(([x, y], joint) => [x, y, thick * widths[joint]] as const))
      frame.paint(leg, { fill: darker(coat.base, 0.1), outline: coat.outline ?? { colour: coat.ink, width: 0.5 } })
      if (coat.socks) frame.stroke(frame.curve([knee, ankle]), coat.mark, thick * 1.4, 0.8)
    }
  }
  const abdomen = frame.ellipse(0, 8 + belly * 0.9, belly * random.between(0.8, 1), belly * 1.15)
  const clip = frame.clip(abdomen)
  frame.paint(abdomen, { fill: coatFill(frame, coat, -10, 8 + belly * 2), outline: coat.outline })
  paintMarkings(frame, coat, clip, { left: -belly, right: belly, top: 4, bottom: 8 + belly * 2 }, random)
  frame.paint(frame.ellipse(0, -8, belly * 0.6, belly * 0.62), { fill: darker(coat.base, 0.12), outline: coat.outline })
  for (const side of [-1, 1]) {
    frame.stroke(frame.curve([[side * 4, -8 - belly * 0.5], [side * 6, -14 - belly * 0.5], [side * 2.5, -17 - belly * 0.5]]), coat.ink, 2)
    frame.paint(frame.ellipse(side * 4, -8 - belly * 0.3, 3.3), { fill: lighter(coat.base, 0.8) })
    frame.paint(frame.ellipse(side * 4, -8.6 - belly * 0.3, 1.8), { fill: colour('#15100f') })
  }
}

function paintWeb(sketch: Sketch, silk: Colour, random: KeyedRandom): void {
  const spokes = 9 + random.below(5)
  const turn = random.between(0, 1)
  const at = (i: number, radius: number): Point => [radius * Math.cos(turn + (2 * Math.PI * i) / spokes), radius * Math.sin(turn + (2 * Math.PI * i) / spokes)]
  const threads: string[] = []
  for (let i = 0; i < spokes; i++) {
    threads.push(sketch.curve([[0, 0], at(i, 170)]))
    for (const radius of [22, 38, 55, 74, 95, 120]) threads.push(sketch.curve([at(i, radius), at(i + 0.5, radius * 0.9), at(i + 1, radius)]))
  }
  sketch.stroke(threads, silk, 0.9, random.between(0.45, 0.85))
}
