import { type KeyedRandom } from '../../shared/random/philox.ts'
import { brightness, type Colour, colour, darker, lighter, mix } from './colour.ts'
import { type Coat, coatFill } from './coat.ts'
import { type Point, type Sketch } from './sketch.ts'

/** The shape of a mammal's head, in units of a body whose shoulder is about 100 above the ground. */
export interface HeadPlan {
  /** Radius of the skull. */
  readonly skull: number
  /** Distance from the skull's centre to the nose. */
  readonly muzzle: number
  /** Radius of the head at the nose. */
  readonly nose: number
  readonly ear: 'pointed' | 'floppy' | 'sideways' | 'fan'
  readonly earLength: number
  readonly whiskers?: boolean
  readonly tongue?: boolean
  readonly horns?: 'short' | 'curled' | 'none'
  readonly forelock?: boolean
  readonly woolCap?: boolean
  readonly trunk?: boolean
  readonly tusks?: boolean
  /** True for a light or pink muzzle. */
  readonly paleNose?: boolean
  /** Colour of the face; undefined for the coat's. */
  readonly face?: Colour
}

const PINK = colour('#e3a09a')
const IVORY = colour('#f3ead2')

function earShape(sketch: Sketch, plan: HeadPlan, side: -1 | 1, front: boolean): string {
  const { skull, earLength: length } = plan
  const place = (x: number, y: number): Point => [side * x, y]
  switch (plan.ear) {
    case 'pointed': {
      const width = Math.min(skull * 0.48, length * 0.5)
      const x = front ? skull * 0.55 : skull * 0.2
      return sketch.polygon([place(x - width, -skull * 0.72), place(x + width * 0.2, -skull * 0.72 - length), place(x + width, -skull * 0.55)])
    }
    case 'floppy': {
      const x = front ? skull * 0.75 : skull * 0.35
      return sketch.blob([place(x - skull * 0.2, -skull * 0.75), place(x + skull * 0.4, -skull * 0.6), place(x + skull * 0.55, length * 0.5), place(x + skull * 0.2, length), place(x - skull * 0.1, length * 0.5)])
    }
    case 'sideways': {
      const x = front ? skull * 0.75 : skull * 0.5
      return sketch.blob([place(x, -skull * 0.6), place(x + length * 0.5, -skull * 0.75), place(x + length, -skull * 0.35), place(x + length * 0.5, -skull * 0.15), place(x, -skull * 0.2)])
    }
    case 'fan': {
      const x = front ? skull * 0.55 : skull * 0.1
      return sketch.blob([place(x, -skull * 0.8), place(x + length * 0.55, -skull * 1.05), place(x + length, -skull * 0.3), place(x + length * 0.8, skull * 0.75), place(x + length * 0.25, skull * 1.1), place(x, skull * 0.3)])
    }
  }
}

function paintEar(sketch: Sketch, plan: HeadPlan, coat: Coat, side: -1 | 1, front: boolean, dim: number): void {
  const base = darker(plan.face ?? coat.base, dim)
  const fill = plan.ear === 'floppy' ? darker(base, 0.25) : base
  sketch.paint(earShape(sketch, plan, side, front), { fill, outline: coat.outline })
  if (plan.ear === 'floppy' || dim > 0.2) return
  const inner = sketch.at({ x: side * plan.skull * 0.12, y: -plan.skull * 0.12, scale: 0.75 })
  inner.paint(earShape(inner, plan, side, front), { fill: mix(base, PINK, plan.ear === 'fan' ? 0.18 : 0.5), opacity: 0.8 })
}

function paintEye(sketch: Sketch, x: number, y: number, radius: number, coat: Coat, slit: Colour | undefined): void {
  if (slit !== undefined) sketch.paint(sketch.ellipse(x, y, radius * 1.25, radius * 1.2), { fill: slit, outline: { colour: coat.ink, width: 0.5 } })
  else if (brightness(coat.base) < 90) sketch.paint(sketch.ellipse(x, y, radius * 1.35), { fill: lighter(coat.base, 0.55) })
  sketch.paint(sketch.ellipse(x, y, slit === undefined ? radius : radius * 0.5, radius), { fill: colour('#15100f') })
  sketch.paint(sketch.ellipse(x + radius * 0.3, y - radius * 0.35, radius * 0.35), { fill: colour('#ffffff') })
}

function faceFill(sketch: Sketch, plan: HeadPlan, coat: Coat): string {
  return coatFill(sketch, plan.face === undefined ? coat : { ...coat, base: plan.face }, -plan.skull, plan.skull * 1.4)
}

function trunkLine(plan: HeadPlan, front: boolean, random: KeyedRandom): (readonly [number, number, number])[] {
  const { skull } = plan
  const x = front ? 0 : skull * 0.75
  const sway = random.between(-0.2, 0.2) * skull
  const shapes = front ? ['down', 'curl'] : ['down', 'curl', 'up', 'forward']
  switch (random.pick(shapes)) {
    case 'up':
      return [[x, skull * 0.1, skull * 0.5], [x + skull * 0.9, skull * 0.85, skull * 0.34], [x + skull * 1.7, skull * 0.2, skull * 0.26], [x + skull * 1.8, -skull * 0.9, skull * 0.2], [x + skull * 1.4, -skull * 1.4, skull * 0.18]]
    case 'forward':
      return [[x, skull * 0.1, skull * 0.5], [x + skull * 0.5, skull * 1.1, skull * 0.33], [x + skull * 1.1, skull * 1.6, skull * 0.25], [x + skull * 1.8, skull * 1.4, skull * 0.19]]
    case 'curl':
      return [[x, skull * 0.1, skull * 0.5], [x + skull * 0.35 + sway, skull * 1.2, skull * 0.34], [x + skull * 0.3 + sway, skull * 2.1, skull * 0.26], [x - skull * 0.3, skull * 2.4, skull * 0.2], [x - skull * 0.55, skull * 1.95, skull * 0.16]]
    default:
      return [[x, skull * 0.1, skull * 0.5], [x + skull * 0.3 + sway, skull * 1.2, skull * 0.34], [x + skull * 0.25 + sway, skull * 2.1, skull * 0.26], [x + skull * 0.5 + sway, skull * 2.75, skull * 0.19]]
  }
}

function paintTrunk(sketch: Sketch, plan: HeadPlan, coat: Coat, front: boolean, random: KeyedRandom): void {
  const { skull } = plan
  const line = trunkLine(plan, front, random)
  const tusk = (side: number): string =>
    front
      ? sketch.tube([[side * skull * 0.5, skull * 0.75, skull * 0.13], [side * skull * 0.72, skull * 1.4, skull * 0.09], [side * skull * 0.62, skull * 1.9, skull * 0.03]])
      : sketch.tube([[skull * 0.6, skull * 0.7, skull * 0.13], [skull * 1.1, skull * 1.25, skull * 0.1], [skull * 1.75, skull * 1.2, skull * 0.03]])
  if (plan.tusks === true && front) sketch.paint([tusk(-1), tusk(1)], { fill: IVORY, outline: coat.outline })
  const trunk = sketch.tube(line)
  sketch.paint(trunk, { fill: sketch.linear([0, 0], [0, skull * 2.8], [coat.base, darker(coat.base, 0.2)]), outline: coat.outline })
  const rings = line.slice(1).flatMap(([x, y, r], i) => {
    const [px, py] = line[i]
    const length = Math.hypot(x - px, y - py)
    const [u, v] = [((x - px) / length) * r * 0.8, ((y - py) / length) * r * 0.8]
    return [0.3, 0.65, 1].map((part) => {
      const [cx, cy] = [px + (x - px) * part, py + (y - py) * part]
      return sketch.curve([[cx + v, cy - u], [cx - v, cy + u]])
    })
  })
  sketch.stroke(rings, darker(coat.base, 0.5), skull * 0.04, 0.5, sketch.clip(trunk))
  if (plan.tusks === true && !front) sketch.paint(tusk(1), { fill: IVORY, outline: coat.outline })
}

function paintHorns(sketch: Sketch, plan: HeadPlan, coat: Coat, sides: readonly (-1 | 1)[], front: boolean): void {
  const { skull } = plan
  if (plan.horns === undefined || plan.horns === 'none') return
  for (const side of sides) {
    const x = front ? side * skull * 0.55 : -skull * 0.1 + (side > 0 ? 0 : skull * 0.4)
    const horn = plan.horns === 'short'
      ? sketch.tube([[x, -skull * 0.8, skull * 0.2], [x + (front ? side : 0.35) * skull * 0.6, -skull * 1.15, skull * 0.16], [x + (front ? side * 0.8 : 0.65) * skull, -skull * 1.75, skull * 0.04]])
      : sketch.tube([[x, -skull * 0.6, skull * 0.28], [x + (front ? side : -1) * skull * 0.75, -skull * 0.5, skull * 0.26], [x + (front ? side : -1) * skull * 0.8, skull * 0.35, skull * 0.2], [x + (front ? side : -1) * skull * 0.2, skull * 0.45, skull * 0.1]])
    sketch.paint(horn, { fill: mix(IVORY, coat.mark, 0.25), outline: coat.outline })
  }
}

function woolCap(sketch: Sketch, plan: HeadPlan, coat: Coat): void {
  const { skull } = plan
  const tufts = [[-0.6, -0.55], [-0.1, -0.85], [0.45, -0.65], [-0.75, -0.05]].map(([x, y]) => sketch.ellipse(x * skull, y * skull, skull * 0.5))
  sketch.paint(tufts, { fill: lighter(coat.base, 0.12), outline: coat.outline })
}

/** Paints a head seen from the side: the frame's origin is the skull's centre, the nose points to +x. */
export function paintProfileHead(sketch: Sketch, plan: HeadPlan, coat: Coat, random: KeyedRandom): void {
  const { skull, muzzle, nose } = plan
  const skin = plan.face ?? coat.base
  if (plan.ear !== 'fan' && plan.ear !== 'floppy') {
    const far = sketch.at({ x: skull * 0.5, y: -skull * 0.02 })
    paintEar(far, plan, coat, -1, false, 0.3)
  }
  paintHorns(sketch, plan, coat, [-1], false)
  const outline = plan.trunk === true
    ? sketch.tube([[0, 0, skull], [skull * 0.5, skull * 0.35, skull * 0.75]])
    : sketch.tube([[0, 0, skull], [muzzle * 0.5, skull * 0.16, (skull + nose) * 0.47], [muzzle, skull - nose * 0.85, nose]])
  if (plan.trunk === true) paintTrunk(sketch, plan, coat, false, random)
  const clip = sketch.clip(outline)
  sketch.paint(outline, { fill: faceFill(sketch, plan, coat), outline: coat.outline })
  if (plan.face === undefined && coat.pattern !== 'plain' && coat.pattern !== 'saddle') {
    sketch.paint(sketch.ellipse(random.between(-0.3, 0.7) * skull, -skull * 0.4, skull * 0.6, skull * 0.55), { fill: coat.mark, clip, opacity: 0.85 })
  }
  const noseY = skull - nose * 0.85
  if (plan.trunk !== true) {
    if (plan.paleNose === true) sketch.paint(sketch.ellipse(muzzle, noseY, nose * 1.1, nose * 1.3), { fill: mix(lighter(skin, 0.3), PINK, 0.55), clip })
    const dot = plan.paleNose === true ? darker(PINK, 0.5) : coat.ink
    if (muzzle > skull * 1.8) sketch.paint(sketch.ellipse(muzzle + nose * 0.4, noseY - nose * 0.2, nose * 0.2, nose * 0.3), { fill: dot })
    else sketch.paint(sketch.ellipse(muzzle + nose * 0.75, noseY - nose * 0.5, nose * 0.42, nose * 0.36), { fill: plan.whiskers === true ? mix(PINK, coat.ink, 0.3) : dot })
    if (plan.tongue === true) sketch.paint(sketch.blob([[muzzle - nose * 0.2, noseY + nose * 0.6], [muzzle + nose * 0.6, noseY + nose * 0.6], [muzzle + nose * 0.5, noseY + nose * 1.9], [muzzle, noseY + nose * 2]]), { fill: colour('#e0607a') })
    sketch.stroke(sketch.curve([[muzzle + nose * 0.8, noseY + nose * 0.45], [muzzle + nose * 0.1, noseY + nose * 0.65], [muzzle - nose * 0.8, noseY + nose * 0.35]]), coat.ink, 1.1)
  }
  if (plan.whiskers === true) {
    sketch.stroke([-1, 0, 1].map((k) => sketch.curve([[muzzle, noseY], [muzzle - skull * 0.2, noseY + k * 2 + 1], [muzzle - skull * 1.1, noseY + k * 5 + 2]])), lighter(coat.base, 0.7), 0.6, 0.8)
  }
  if (plan.woolCap === true) woolCap(sketch, plan, coat)
  const slit = plan.whiskers === true && plan.ear === 'pointed' && muzzle < skull ? random.pick(EYES) : undefined
  paintEye(sketch, skull * (plan.trunk === true ? 0.62 : 0.42), -skull * 0.22, skull * (plan.trunk === true ? 0.1 : 0.17), coat, slit)
  const earFrame = plan.ear === 'fan' ? sketch.at({ x: -skull * 0.05, y: 0 }) : sketch
  paintEar(earFrame, plan, coat, -1, false, 0)
  paintHorns(sketch, plan, coat, [1], false)
  if (plan.forelock === true) sketch.paint(sketch.blob([[-skull * 0.6, -skull * 1.1], [skull * 0.3, -skull * 1.05], [skull * 0.9, -skull * 0.2], [skull * 0.2, -skull * 0.5]]), { fill: coat.mark })
}

const EYES = ['#d7c23a', '#8fbf4d', '#6fb3c9', '#d9922e'].map(colour)

/** Paints a head that looks at the viewer: the frame's origin is the skull's centre. */
export function paintFrontHead(sketch: Sketch, plan: HeadPlan, coat: Coat, random: KeyedRandom): void {
  const { skull, muzzle, nose } = plan
  const skin = plan.face ?? coat.base
  const length = plan.trunk === true ? skull * 0.5 : muzzle > skull * 1.8 ? muzzle * 0.85 : muzzle * 0.55
  const width = nose * (muzzle < skull ? 1.2 : 1.15)
  if (plan.ear !== 'floppy') for (const side of [-1, 1] as const) paintEar(sketch, plan, coat, side, true, 0)
  paintHorns(sketch, plan, coat, [-1, 1], true)
  const round = plan.whiskers === true ? 1.12 : 1
  const face = [sketch.ellipse(0, 0, skull * round, skull), sketch.tube([[0, 0, skull * 0.85], [0, length * 0.6, (skull * 0.8 + width) / 2], [0, length, width]])]
  const clip = sketch.clip(face)
  sketch.paint(face, { fill: faceFill(sketch, plan, coat), outline: coat.outline })
  if (plan.face === undefined && coat.pattern !== 'plain') {
    const blaze = random.uniform() < 0.5
      ? sketch.tube([[0, -skull, skull * 0.15], [0, 0, skull * 0.22], [0, length, width * 0.8]])
      : sketch.ellipse(skull * random.pick([-0.55, 0.55]), -skull * 0.2, skull * 0.55, skull * 0.6)
    sketch.paint(blaze, { fill: coat.mark, clip, opacity: 0.9 })
  }
  if (plan.trunk === true) paintTrunk(sketch, plan, coat, true, random)
  else {
    const pale = plan.paleNose === true ? mix(lighter(skin, 0.3), PINK, 0.55) : lighter(skin, 0.3)
    sketch.paint(sketch.ellipse(0, length + width * 0.1, width * 1.05, width * (muzzle > skull * 1.8 ? 0.75 : 0.95)), { fill: pale, clip, opacity: plan.paleNose === true ? 1 : 0.6 })
    if (muzzle > skull * 1.8) {
      sketch.paint([-1, 1].map((side) => sketch.ellipse(side * width * 0.45, length, width * 0.16, width * 0.24)), { fill: darker(pale, 0.65) })
      sketch.stroke(sketch.curve([[-width * 0.5, length + width * 0.5], [0, length + width * 0.6], [width * 0.5, length + width * 0.5]]), coat.ink, 1)
    } else {
      const y = length - width * 0.3
      if (plan.tongue === true) sketch.paint(sketch.ellipse(0, y + width * 1.15, width * 0.3, width * 0.5), { fill: colour('#e0607a') })
      const size = plan.whiskers === true ? 0.24 : 0.4
      sketch.paint(sketch.blob([[-width * size, y - width * size * 0.6], [width * size, y - width * size * 0.6], [0, y + width * size * 0.9]]), { fill: plan.whiskers === true ? mix(PINK, coat.ink, 0.3) : coat.ink })
      sketch.stroke([sketch.curve([[0, y + width * 0.2], [-width * 0.15, y + width * 0.6], [-width * 0.55, y + width * 0.55]]), sketch.curve([[0, y + width * 0.2], [width * 0.15, y + width * 0.6], [width * 0.55, y + width * 0.55]])], coat.ink, 0.9)
    }
  }
  if (plan.whiskers === true) {
    const lines = ([-1, 1] as const).flatMap((side) => [-1, 0, 1].map((k) => sketch.curve([[side * width * 0.5, length], [side * skull * 0.9, length + k * 2], [side * skull * 1.5, length + k * 5]])))
    sketch.stroke(lines, brightness(coat.base) > 150 ? darker(coat.base, 0.5) : lighter(coat.base, 0.7), 0.6, 0.8)
  }
  if (plan.woolCap === true) woolCap(sketch.at({ x: skull * 0.1, y: 0 }), plan, coat)
  const slit = plan.whiskers === true && muzzle < skull ? random.pick(EYES) : undefined
  const apart = muzzle > skull * 1.8 || plan.trunk === true ? 0.72 : 0.45
  for (const side of [-1, 1]) paintEye(sketch, side * skull * apart, -skull * 0.12, skull * (plan.trunk === true ? 0.1 : slit === undefined ? 0.15 : 0.2), coat, slit)
  if (plan.ear === 'floppy') for (const side of [-1, 1] as const) paintEar(sketch, plan, coat, side, true, 0)
  if (plan.forelock === true) sketch.paint(sketch.blob([[-skull * 0.5, -skull * 1.05], [skull * 0.5, -skull * 1.05], [skull * 0.2, skull * 0.1], [-skull * 0.1, -skull * 0.2]]), { fill: coat.mark })
}
