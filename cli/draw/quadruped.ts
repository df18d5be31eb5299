import { type KeyedRandom } from '../../shared/random/philox.ts'
import { type Coat, coatFill, paintMarkings, paintShadow } from './coat.ts'
import { type Colour, colour, darker, lighter } from './colour.ts'
import { type HeadPlan, paintFrontHead, paintProfileHead } from './head.ts'
import { type Disc, type Point, type Sketch } from './sketch.ts'

export const POSES = ['stand', 'walk', 'run', 'graze', 'sit', 'lie', 'front'] as const
export type Pose = (typeof POSES)[number]

/** The body of a four-legged animal; lengths in units of which about 100 are the shoulder's height. */
export interface BodyPlan {
  readonly poses: readonly Pose[]
  /** Distance from hip to shoulder. */
  readonly length: number
  /** Half of the trunk's thickness at the hip, in the middle and at the chest. */
  readonly hip: number
  readonly middle: number
  readonly chest: number
  readonly leg: number
  /** Half of the leg's thickness at its top and at its foot. */
  readonly thigh: number
  readonly foot: number
  readonly hoof: boolean
  readonly neck: number
  /** Range of the neck's angle, in degrees above the horizontal. */
  readonly neckRise: readonly [number, number]
  readonly neckWidth: number
  /** Range of the head's angle, in degrees below the horizontal. */
  readonly headDrop: readonly [number, number]
  readonly tail: 'curled' | 'long' | 'hair' | 'tuft' | 'stub'
  readonly head: HeadPlan
  /** Probability that the head is turned to the viewer. */
  readonly turns: number
  readonly mane?: boolean
  readonly wool?: boolean
  readonly udder?: boolean
  readonly collar?: boolean
}

interface Stance {
  readonly hip: Point
  readonly shoulder: Point
}

/** Paints the animal with its feet on y = 0, facing +x. */
export function paintQuadruped(sketch: Sketch, plan: BodyPlan, coat: Coat, random: KeyedRandom): void {
  const pose = random.pick(plan.poses)
  if (pose === 'front') {
    paintFromFront(sketch, plan, coat, random)
    return
  }
  paintShadow(sketch, 0, plan.length * 0.5 + plan.chest * 0.8)
  const height = plan.leg + plan.middle
  const stance: Stance = pose === 'sit'
    ? { hip: [-plan.length * 0.32, -plan.hip * 1.02], shoulder: [plan.length * 0.22, -(plan.leg + plan.chest * 1.35)] }
    : pose === 'lie'
      ? { hip: [-plan.length / 2, -plan.hip * 1.02], shoulder: [plan.length / 2, -plan.chest * 1.1] }
      : { hip: [-plan.length / 2, -height - random.between(-2, 3)], shoulder: [plan.length / 2, -height - random.between(-3, 3)] }
  paintTail(sketch, plan, coat, stance, pose, random)
  const legs = pose === 'sit' ? sittingLegs(plan, stance) : pose === 'lie' ? lyingLegs(plan, stance) : standingLegs(plan, stance, pose, random)
  const legCoat = plan.wool === true ? { ...coat, base: plan.head.face ?? darker(coat.base, 0.35) } : coat
  paintLegs(sketch, plan, legCoat, legs.far, 0.28, height)
  if (plan.udder === true && pose !== 'lie') sketch.paint(sketch.ellipse(-plan.length * 0.3, -plan.leg * 0.98, 9, 9), { fill: colour('#e3a09a'), outline: coat.outline })
  if (plan.wool === true) paintLegs(sketch, plan, legCoat, legs.near, 0, height)

  const [hipX, hipY] = stance.hip
  const [shoulderX, shoulderY] = stance.shoulder
  const trunk = sketch.tube([[hipX, hipY, plan.hip], [(hipX + shoulderX) / 2, (hipY + shoulderY) / 2 + 1, plan.middle], [shoulderX, shoulderY, plan.chest]])
  const neck = neckLine(plan, stance, pose, random)
  const shapes = [trunk, sketch.tube(neck)]
  const top = Math.min(hipY - plan.hip, shoulderY - plan.chest)
  if (plan.wool === true) paintWool(sketch, plan, coat, stance, shapes, random)
  else {
    shapes.push(...legs.near.map((leg) => sketch.tube(leg)), ...feet(sketch, plan, legs.near))
    const clip = sketch.clip(shapes)
    sketch.paint(shapes, { fill: coatFill(sketch, coat, top, 0), outline: coat.outline })
    const low = Math.max(hipY + plan.hip, shoulderY + plan.chest)
    paintMarkings(sketch, coat, clip, { left: hipX - plan.hip, right: shoulderX + plan.chest, top, bottom: pose === 'sit' ? -plan.leg * 0.3 : low }, random)
    paintFeet(sketch, plan, coat, legs.near, clip)
    if (pose === 'sit' || pose === 'lie') {
      sketch.stroke(sketch.curve([[hipX - plan.hip * 0.2, hipY - plan.hip * 0.5], [hipX + plan.hip * 0.8, hipY - plan.hip * 0.1], [hipX + plan.hip * 0.75, -plan.foot * 1.5]]), coat.ink, 1.2, 0.55)
    }
  }
  if (plan.mane === true) paintMane(sketch, neck, coat, random)
  if (plan.collar === true && random.uniform() < 0.5) {
    const [x, y, radius] = neck[1]
    const [endX, endY] = neck[2]
    const angle = (Math.atan2(endY - y, endX - x) * 180) / Math.PI
    sketch.paint(sketch.ellipse(x, y, radius * 0.25, radius * 1.02, angle), { fill: coat.accent, outline: coat.outline })
  }
  const [headX, headY] = neck[2]
  const turned = pose !== 'graze' && random.uniform() < plan.turns
  const head = sketch.at({ x: headX, y: headY, rotate: turned ? random.between(-12, 12) : pose === 'graze' ? random.between(45, 65) : random.between(...plan.headDrop) })
  if (turned) paintFrontHead(head, plan.head, coat, random)
  else paintProfileHead(head, plan.head, coat, random)
}

function neckLine(plan: BodyPlan, { shoulder: [x, y] }: Stance, pose: Pose, random: KeyedRandom): readonly [Disc, Disc, Disc] {
  const rise = pose === 'graze' ? random.between(-48, -38) : random.between(...plan.neckRise) + (pose === 'sit' ? 15 : 0)
  const reach = pose === 'graze' ? Math.max(plan.neck, plan.leg * 0.72) : plan.neck
  const [u, v] = [Math.cos((rise * Math.PI) / 180), -Math.sin((rise * Math.PI) / 180)]
  const startY = y - plan.chest * 0.25
  return [
    [x, startY, plan.chest * 0.78],
    [x + u * reach * 0.55 + 2, startY + v * reach * 0.5, plan.neckWidth * 1.12],
    [x + u * reach, startY + v * reach, plan.neckWidth],
  ]
}

interface Legs {
  readonly near: readonly (readonly Disc[])[]
  readonly far: readonly (readonly Disc[])[]
}

function standingLegs(plan: BodyPlan, { hip, shoulder }: Stance, pose: Pose, random: KeyedRandom): Legs {
  const stride = pose === 'run' ? random.between(0.6, 0.95) : pose === 'walk' ? random.between(0.2, 0.45) : random.between(0, 0.14)
  const direction = random.pick([-1, 1])
  const leg = ([x, y]: Point, swing: number, hind: boolean, lift: number): Disc[] => {
    const length = -y - plan.foot * 0.6 - lift
    const footX = x + Math.sin(swing) * length
    const bend = hind ? -plan.leg * 0.1 : plan.leg * 0.04 + lift * 0.6
    return [
      [x, y, plan.thigh * 1.25],
      [x + (footX - x) * 0.42 - bend * 0.6, y + length * 0.5, (plan.thigh + plan.foot) * 0.52],
      [x + (footX - x) * 0.7 + bend, y + length * 0.76, plan.foot * 0.95],
      [footX, y + length, plan.foot],
    ]
  }
  const lift = (swing: number): number => (pose === 'run' ? plan.leg * 0.18 : swing * direction > 0.2 ? plan.leg * 0.08 : 0)
  const back: Point = [hip[0] - plan.hip * 0.25, hip[1] + plan.hip * 0.1]
  const fore: Point = [shoulder[0] + plan.chest * 0.15, shoulder[1] + plan.chest * 0.25]
  const gap = plan.thigh * 0.55
  return {
    near: [leg(back, -stride * direction, true, lift(-stride)), leg(fore, stride * direction * 0.9, false, lift(stride))],
    far: [leg([back[0] + gap, back[1]], stride * direction + 0.05, true, lift(stride)), leg([fore[0] - gap, fore[1]], -stride * direction, false, lift(-stride))],
  }
}

function sittingLegs(plan: BodyPlan, { hip, shoulder }: Stance): Legs {
  const fore = (dx: number): Disc[] => [[shoulder[0] + dx, shoulder[1] + plan.chest * 0.4, plan.thigh * 1.1], [shoulder[0] + dx + 4, shoulder[1] * 0.45, plan.foot * 1.15], [shoulder[0] + dx + 4, -plan.foot * 0.7, plan.foot]]
  const hind: Disc[] = [[hip[0] + plan.hip * 0.25, hip[1] + plan.hip * 0.15, plan.hip * 0.8], [hip[0] + plan.hip * 1.1, -plan.foot * 0.8, plan.foot]]
  return { near: [hind, fore(0)], far: [fore(plan.thigh * 0.9)] }
}

function lyingLegs(plan: BodyPlan, { hip, shoulder }: Stance): Legs {
  const fore = (dx: number): Disc[] => [[shoulder[0] + dx - 4, -plan.chest * 0.55, plan.thigh], [shoulder[0] + dx + plan.leg * 0.3, -plan.foot, plan.foot * 1.1], [shoulder[0] + dx + plan.leg * 0.55, -plan.foot * 0.8, plan.foot]]
  const hind: Disc[] = [[hip[0] + plan.hip * 0.35, -plan.hip * 0.7, plan.hip * 0.68], [hip[0] + plan.hip * 1.5, -plan.foot * 0.8, plan.foot]]
  return { near: [hind, fore(0)], far: [fore(plan.thigh)] }
}

/** Outlines of the paws at the legs' ends; none for an animal with hoofs, which paintFeet paints. */
function feet(sketch: Sketch, plan: BodyPlan, legs: Legs['near']): string[] {
  return plan.hoof ? [] : legs.map((leg) => sketch.ellipse(leg[leg.length - 1][0] + plan.foot * 0.5, leg[leg.length - 1][1] + plan.foot * 0.1, plan.foot * 1.35, plan.foot * 0.8))
}

function paintLegs(sketch: Sketch, plan: BodyPlan, coat: Coat, legs: Legs['near'], dim: number, height: number): void {
  const shapes = [...legs.map((leg) => sketch.tube(leg)), ...feet(sketch, plan, legs)]
  sketch.paint(shapes, { fill: coatFill(sketch, coat, -height, 0, dim), outline: coat.outline })
  paintFeet(sketch, plan, coat, legs, sketch.clip(shapes))
}

function paintFeet(sketch: Sketch, plan: BodyPlan, coat: Coat, legs: Legs['near'], clip: string): void {
  const ends = legs.map((leg) => leg[leg.length - 1])
  if (coat.socks) sketch.paint(ends.map(([x, y]) => sketch.ellipse(x, y, plan.foot * 2, plan.leg * 0.28)), { fill: coat.mark, clip, opacity: 0.9 })
  if (plan.hoof) sketch.paint(ends.map(([x, y]) => sketch.ellipse(x, y + plan.foot * 0.9, plan.foot * 2, plan.foot * 1.1)), { fill: darker(coat.ink, 0.2), clip })
  else sketch.stroke(ends.flatMap(([x, y]) => [0.9, 1.4].map((k) => sketch.curve([[x + plan.foot * k, y - plan.foot * 0.1], [x + plan.foot * (k + 0.1), y + plan.foot * 0.6]]))), coat.ink, 0.7, 0.7)
}

function paintTail(sketch: Sketch, plan: BodyPlan, coat: Coat, { hip: [x, y] }: Stance, pose: Pose, random: KeyedRandom): void {
  const startX = x - plan.hip * 0.8
  const low = pose === 'sit' || pose === 'lie'
  const startY = low ? y + plan.hip * 0.3 : y - plan.hip * 0.45
  const swing = random.between(-1, 1)
  const paint = (line: readonly Disc[], fill: Colour): void => sketch.paint(sketch.tube(line), { fill, outline: coat.outline })
  switch (plan.tail) {
    case 'curled':
      paint([[startX + 4, startY, 5], [startX - 10, startY - 14, 5.5], [startX - 10 + swing * 8, startY - 32, 5], [startX + 6 + swing * 8, startY - 40, 2.5]], coat.base)
      break
    case 'long':
      if (low) paint([[startX + 5, -6, 5.5], [startX - 22, -6, 5.5], [startX - 40, -10, 5], [startX - 46 + swing * 5, -26, 4]], coat.base)
      else paint([[startX + 4, startY, 5.5], [startX - 16, startY - 10 + swing * 8, 5], [startX - 26, startY - 34, 4.8], [startX - 16 + swing * 10, startY - 55, 4.2], [startX - 4 + swing * 14, startY - 60, 3]], coat.base)
      break
    case 'hair': {
      const length = Math.min(plan.leg * 0.95, -startY - 4)
      paint([[startX + 4, startY, 4], [startX - 12, startY + length * 0.15, 7], [startX - 16 + swing * 6, startY + length * 0.55, 8], [startX - 14 + swing * 12, startY + length, 2]], coat.mark)
      break
    }
    case 'tuft': {
      const length = Math.min(plan.leg * 0.9, -startY - 6)
      paint([[startX + 4, startY, 3], [startX - 7, startY + length * 0.3, 2.3], [startX - 8 + swing * 6, startY + length * 0.75, 2]], coat.base)
      paint([[startX - 8 + swing * 6, startY + length * 0.75, 2.5], [startX - 8 + swing * 8, startY + length * 0.9, 4.5], [startX - 8 + swing * 9, startY + length, 1.5]], coat.mark)
      break
    }
    case 'stub':
      paint([[startX + 2, startY + 4, 7], [startX - 9, startY + 14, 5.5]], lighter(coat.base, 0.1))
      break
  }
}

function paintWool(sketch: Sketch, plan: BodyPlan, coat: Coat, { hip, shoulder }: Stance, body: readonly string[], random: KeyedRandom): void {
  const [cx, cy] = [(hip[0] + shoulder[0]) / 2, (hip[1] + shoulder[1]) / 2]
  const [rx, ry] = [plan.length / 2 + plan.hip * 0.75, plan.middle]
  const tufts = 13 + random.below(4)
  const rim = Array.from({ length: tufts }, (_, i) => {
    const angle = (2 * Math.PI * i) / tufts
    return sketch.ellipse(cx + rx * Math.cos(angle), cy + ry * Math.sin(angle) * 0.95, random.between(9, 13))
  })
  const shapes = [...body, ...rim, sketch.ellipse(cx, cy, rx, ry)]
  const clip = sketch.clip(shapes)
  const top = cy - ry - 10
  sketch.paint(shapes, { fill: coatFill(sketch, coat, top, cy + ry + 8), outline: coat.outline })
  paintMarkings(sketch, { ...coat, pattern: coat.pattern === 'patches' ? 'patches' : 'plain' }, clip, { left: cx - rx, right: cx + rx, top, bottom: cy + ry + 8 }, random)
  const curls = Array.from({ length: 34 }, () => {
    const [x, y, r] = [cx + rx * random.between(-0.9, 0.9), cy + ry * random.between(-0.8, 0.8), random.between(3.5, 6)]
    return sketch.curve([[x - r, y], [x - r * 0.6, y + r * 0.8], [x + r * 0.5, y + r * 0.8], [x + r, y - r * 0.1]])
  })
  sketch.stroke(curls, darker(coat.base, 0.5), 1.5, 0.75, clip)
}

function paintMane(sketch: Sketch, neck: readonly [Disc, Disc, Disc], coat: Coat, random: KeyedRandom): void {
  const [[x0, y0, r0], [x1, y1, r1], [x2, y2, r2]] = neck
  const locks: string[] = []
  for (let i = 0; i <= 8; i++) {
    const part = i / 8
    const [x, y, r] = part < 0.5
      ? [x0 + (x1 - x0) * part * 2, y0 + (y1 - y0) * part * 2, r0 * 0.8 + (r1 - r0 * 0.8) * part * 2]
      : [x1 + (x2 - x1) * (part * 2 - 1), y1 + (y2 - y1) * (part * 2 - 1), r1 + (r2 - r1) * (part * 2 - 1)]
    const length = Math.hypot(x2 - x0, y2 - y0)
    const [u, v] = [(x2 - x0) / length, (y2 - y0) / length]
    const [rootX, rootY] = [x + v * r * 0.95, y - u * r * 0.95]
    const fall = random.between(0.7, 1.2)
    locks.push(sketch.tube([[rootX, rootY, 4.5], [rootX - v * r * 0.6 * fall - 3, rootY + u * r * 0.6 * fall + 3, 4], [rootX - v * r * fall - 7, rootY + u * r * fall + 8, 1.2]]))
  }
  sketch.paint(locks, { fill: coat.mark, outline: coat.outline })
}

function paintFromFront(sketch: Sketch, plan: BodyPlan, coat: Coat, random: KeyedRandom): void {
  const broad = plan.chest * 1.15
  const centre = -(plan.leg + plan.chest * 0.9)
  const apart = broad * 0.62
  paintShadow(sketch, 0, broad * 1.3)
  const leg = (x: number, r: number): Disc[] => [[x * 0.9, centre * 0.8, plan.thigh * 1.1], [x, centre * 0.4, (plan.thigh + plan.foot) * 0.5], [x, -plan.foot * 0.6, plan.foot * r]]
  const legCoat = plan.wool === true ? { ...coat, base: plan.head.face ?? darker(coat.base, 0.35) } : coat
  if (plan.tail === 'long' || plan.tail === 'curled') {
    const side = random.pick([-1, 1])
    sketch.paint(sketch.tube([[side * broad * 0.5, -plan.leg * 0.6, 5], [side * broad * 1.5, -plan.leg * 0.7, 5], [side * broad * 1.8, centre, 4.5], [side * broad * 1.5, centre - 20, 3]]), { fill: darker(coat.base, 0.1), outline: coat.outline })
  }
  paintLegs(sketch, plan, legCoat, [leg(-apart * 1.05, 0.9), leg(apart * 1.05, 0.9)].map((line) => line.map(([x, y, r]) => [x, Math.min(y, -5), r] as const)), 0.35, plan.leg * 2)
  const near = [leg(-apart * 0.8, 1.1), leg(apart * 0.8, 1.1)]
  if (plan.wool === true) {
    paintLegs(sketch, plan, legCoat, near, 0, plan.leg * 2)
    paintWool(sketch, { ...plan, length: broad, hip: plan.chest * 0.7 }, coat, { hip: [-broad / 2, centre], shoulder: [broad / 2, centre] }, [], random)
  } else {
    const shapes = [sketch.ellipse(0, centre, broad, plan.chest * 1.3), ...near.map((line) => sketch.tube(line))]
    const clip = sketch.clip(shapes)
    sketch.paint(shapes, { fill: coatFill(sketch, coat, centre - plan.chest, 0), outline: coat.outline })
    paintMarkings(sketch, coat, clip, { left: -broad, right: broad, top: centre - plan.chest * 1.3, bottom: centre + plan.chest * 1.3 }, random)
    paintFeet(sketch, plan, coat, near, clip)
  }
  const rise = plan.neck * random.between(0.35, 0.75)
  const headY = centre - plan.chest * 0.5 - rise
  if (plan.wool !== true) {
    sketch.paint(sketch.tube([[0, centre - plan.chest * 0.2, plan.chest * 0.85], [0, headY, plan.neckWidth * 1.15]]), { fill: darker(coat.base, 0.1) })
  }
  if (plan.collar === true && random.uniform() < 0.5) sketch.paint(sketch.ellipse(0, headY + plan.head.skull * 0.95, plan.neckWidth * 1.15, 4), { fill: coat.accent, outline: coat.outline })
  paintFrontHead(sketch.at({ x: random.between(-4, 4), y: headY, rotate: random.between(-14, 14) }), plan.head, coat, random)
}
