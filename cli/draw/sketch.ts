import { type Colour, css } from './colour.ts'

export type Point = readonly [number, number]
/** A point of a centre line with the half width that the tube has there: x, y, radius. */
export type Disc = readonly [number, number, number]

export interface Stroke {
  readonly colour: Colour
  readonly width: number
}

export interface Paint {
  readonly fill?: Colour | string
  /** Outline, drawn below the fill so that overlapping shapes of one path get one common outline. */
  readonly outline?: Stroke | undefined
  readonly opacity?: number
  /** Id of a clip, as returned by `clip`: only what lies inside it is painted. */
  readonly clip?: string
}

export interface Bounds {
  left: number
  top: number
  right: number
  bottom: number
}

interface Placement {
  readonly x: number
  readonly y: number
  /** Degrees, clockwise as the picture shows it. */
  readonly rotate?: number
  readonly scale?: number
  /** -1 mirrors left and right. */
  readonly flip?: 1 | -1
}

type Matrix = readonly [number, number, number, number, number, number]

/** State that all frames of one drawing share: the elements painted so far, their definitions, and the box around them. */
class Sheet {
  readonly elements: string[] = []
  readonly definitions: string[] = []
  readonly bounds: Bounds = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity }
}

const number = (value: number): string => String(Math.round(value * 10) / 10)

/**
 * A drawing in SVG with a coordinate frame (x to the right, y down). Shapes are outlines in the path syntax of SVG,
 * all of the same winding, so that several joined in one path paint as their union.
 */
export class Sketch {
  readonly #sheet: Sheet
  readonly #prefix: string
  readonly #matrix: Matrix

  constructor(prefix: string, sheet = new Sheet(), matrix: Matrix = [1, 0, 0, 1, 0, 0]) {
    this.#prefix = prefix
    this.#sheet = sheet
    this.#matrix = matrix
  }

  /** The same drawing, with coordinates in a frame placed inside this one. */
  at({ x, y, rotate = 0, scale = 1, flip = 1 }: Placement): Sketch {
    const [a, b, c, d, e, f] = this.#matrix
    const cos = Math.cos((rotate * Math.PI) / 180) * scale
    const sin = Math.sin((rotate * Math.PI) / 180) * scale
    const [p, q, r, s] = [cos * flip, sin * flip, -sin, cos]
    const matrix: Matrix = [a * p + c * q, b * p + d * q, a * r + c * s, b * r + d * s, a * x + c * y + e, b * x + d * y + f]
    return new Sketch(this.#prefix, this.#sheet, matrix)
  }

  /** The elements painted so far, with their definitions. */
  text(): string {
    return `<defs>${this.#sheet.definitions.join('')}</defs>${this.#sheet.elements.join('')}`
  }

  /** The box around all filled shapes so far, in the outermost frame. */
  get bounds(): Readonly<Bounds> {
    return this.#sheet.bounds
  }

  #place([x, y]: Point): Point {
    const [a, b, c, d, e, f] = this.#matrix
    return [a * x + c * y + e, b * x + d * y + f]
  }

  #closed(local: readonly Point[]): Point[] {
    const points = local.map((point) => this.#place(point))
    let area = 0
    points.forEach(([x, y], i) => {
      const [nextX, nextY] = points[(i + 1) % points.length]
      area += x * nextY - nextX * y
      const bounds = this.#sheet.bounds
      bounds.left = Math.min(bounds.left, x)
      bounds.right = Math.max(bounds.right, x)
      bounds.top = Math.min(bounds.top, y)
      bounds.bottom = Math.max(bounds.bottom, y)
    })
    return area < 0 ? points.reverse() : points
  }

  /** A closed shape with straight sides. */
  polygon(local: readonly Point[]): string {
    return `M${this.#closed(local).map(([x, y]) => `${number(x)} ${number(y)}`).join('L')}Z`
  }

  /** A closed shape through the points, smooth (Catmull-Rom as cubic Bezier curves). */
  blob(local: readonly Point[]): string {
    const points = this.#closed(local)
    const n = points.length
    const parts = points.map((from, i) => bezier(points[(i + n - 1) % n], from, points[(i + 1) % n], points[(i + 2) % n]))
    return `M${number(points[0][0])} ${number(points[0][1])}${parts.join('')}Z`
  }

  ellipse(x: number, y: number, radiusX: number, radiusY = radiusX, rotate = 0): string {
    const cos = Math.cos((rotate * Math.PI) / 180)
    const sin = Math.sin((rotate * Math.PI) / 180)
    return this.blob(
      Array.from({ length: 8 }, (_, i) => {
        const u = radiusX * Math.cos((i * Math.PI) / 4)
        const v = radiusY * Math.sin((i * Math.PI) / 4)
        return [x + u * cos - v * sin, y + u * sin + v * cos] as const
      }),
    )
  }

  /** A limb, neck, trunk or body: the smooth hull along a centre line whose half width changes, with round ends. */
  tube(discs: readonly Disc[]): string {
    const line = discs.length > 2 ? resample(discs) : discs
    const left: Point[] = []
    const right: Point[] = []
    const corner = Math.SQRT1_2
    line.forEach(([x, y, radius], i) => {
      const [beforeX, beforeY] = line[Math.max(0, i - 1)]
      const [afterX, afterY] = line[Math.min(line.length - 1, i + 1)]
      const length = Math.hypot(afterX - beforeX, afterY - beforeY) || 1
      const [u, v] = [((afterX - beforeX) / length) * radius, ((afterY - beforeY) / length) * radius]
      if (i === 0) {
        right.push([x - corner * (u + v), y - corner * (v - u)])
        left.push([x - u, y - v], [x - corner * (u - v), y - corner * (v + u)])
      }
      left.push([x + v, y - u])
      right.push([x - v, y + u])
      if (i === line.length - 1) left.push([x + corner * (u + v), y + corner * (v - u)], [x + u, y + v], [x + corner * (u - v), y + corner * (v + u)])
    })
    return this.blob([...left, ...right.reverse()])
  }

  /** An open smooth line, for `stroke`. */
  curve(local: readonly Point[]): string {
    const points = local.map((point) => this.#place(point))
    const last = points.length - 1
    const parts = points.slice(0, -1).map((from, i) => bezier(points[Math.max(0, i - 1)], from, points[i + 1], points[Math.min(last, i + 2)]))
    return `M${number(points[0][0])} ${number(points[0][1])}${parts.join('')}`
  }

  /** Paints shapes as one path, so that they look like their union. */
  paint(shapes: string | readonly string[], { fill, outline, opacity, clip }: Paint): void {
    const path = typeof shapes === 'string' ? shapes : shapes.join('')
    if (path === '') return
    const attributes = [`d="${path}"`]
    attributes.push(`fill="${fill === undefined ? 'none' : typeof fill === 'string' ? fill : css(fill)}"`)
    if (outline !== undefined && outline.width > 0) {
      attributes.push(`stroke="${css(outline.colour)}" stroke-width="${number(2 * outline.width)}" stroke-linejoin="round" paint-order="stroke"`)
    }
    if (opacity !== undefined) attributes.push(`opacity="${Math.round(opacity * 100) / 100}"`)
    if (clip !== undefined) attributes.push(`clip-path="url(#${clip})"`)
    this.#sheet.elements.push(`<path ${attributes.join(' ')}/>`)
  }

  /** Draws lines with round ends; the width is in this frame's units. */
  stroke(lines: string | readonly string[], ink: Colour, width: number, opacity = 1, clip?: string): void {
    const path = typeof lines === 'string' ? lines : lines.join('')
    if (path === '') return
    const [a, b, c, d] = this.#matrix
    const scaled = width * Math.sqrt(Math.abs(a * d - b * c))
    const clipped = clip === undefined ? '' : ` clip-path="url(#${clip})"`
    this.#sheet.elements.push(
      `<path d="${path}" fill="none" stroke="${css(ink)}" stroke-width="${Math.round(scaled * 100) / 100}" stroke-linecap="round" stroke-linejoin="round" opacity="${Math.round(opacity * 100) / 100}"${clipped}/>`,
    )
  }

  #define(element: (id: string) => string): string {
    const id = `${this.#prefix}${this.#sheet.definitions.length}`
    this.#sheet.definitions.push(element(id))
    return id
  }

  /** Defines the inside of shapes as a clip. @returns its id, for `Paint.clip` */
  clip(shapes: string | readonly string[]): string {
    const path = typeof shapes === 'string' ? shapes : shapes.join('')
    return this.#define((id) => `<clipPath id="${id}"><path d="${path}"/></clipPath>`)
  }

  /** Defines a gradient from one point to another. @returns a reference to it, for `Paint.fill` */
  linear(from: Point, to: Point, stops: readonly Colour[]): string {
    const [[x1, y1], [x2, y2]] = [this.#place(from), this.#place(to)]
    const id = this.#define((name) => `<linearGradient id="${name}" gradientUnits="userSpaceOnUse" x1="${number(x1)}" y1="${number(y1)}" x2="${number(x2)}" y2="${number(y2)}">${stopsOf(stops)}</linearGradient>`)
    return `url(#${id})`
  }

  /** Defines a gradient from a centre outwards. @returns a reference to it, for `Paint.fill` */
  radial(centre: Point, radius: number, stops: readonly Colour[]): string {
    const [[x, y], [a, b]] = [this.#place(centre), this.#matrix]
    const id = this.#define((name) => `<radialGradient id="${name}" gradientUnits="userSpaceOnUse" cx="${number(x)}" cy="${number(y)}" r="${number(radius * Math.hypot(a, b))}">${stopsOf(stops)}</radialGradient>`)
    return `url(#${id})`
  }
}

function stopsOf(stops: readonly Colour[]): string {
  return stops.map((stop, i) => `<stop offset="${Math.round((100 * i) / (stops.length - 1))}%" stop-color="${css(stop)}"/>`).join('')
}

/** One segment of a Catmull-Rom spline, from `from` to `to`, as the rest of an SVG curve command. */
function bezier(before: Point, from: Point, to: Point, after: Point): string {
  const x1 = from[0] + (to[0] - before[0]) / 6
  const y1 = from[1] + (to[1] - before[1]) / 6
  const x2 = to[0] - (after[0] - from[0]) / 6
  const y2 = to[1] - (after[1] - from[1]) / 6
  return `C${number(x1)} ${number(y1)} ${number(x2)} ${number(y2)} ${number(to[0])} ${number(to[1])}`
}

/** Inserts a point halfway between each two neighbours, on the Catmull-Rom spline through all of them. */
function resample(discs: readonly Disc[]): Disc[] {
  const line: Disc[] = []
  for (let i = 0; i < discs.length - 1; i++) {
    const [p0, p1, p2, p3] = [discs[Math.max(0, i - 1)], discs[i], discs[i + 1], discs[Math.min(discs.length - 1, i + 2)]]
    const middle = (k: 0 | 1 | 2): number => (9 * (p1[k] + p2[k]) - p0[k] - p3[k]) / 16
    line.push(p1, [middle(0), middle(1), Math.max(0.2, middle(2))])
  }
  line.push(discs[discs.length - 1])
  return line
}
