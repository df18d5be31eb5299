/** Colour as red, green and blue in 0..255, so that it can be mixed before it becomes text. */
export type Colour = readonly [number, number, number]

/** The colour of `#rrggbb`. */
export function colour(hex: string): Colour {
  const value = Number.parseInt(hex.slice(1), 16)
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255]
}

/** `#rrggbb` for SVG. */
export function css(value: Colour): string {
  return '#' + value.map((channel) => Math.max(0, Math.min(255, Math.round(channel))).toString(16).padStart(2, '0')).join('')
}

/** The colour that lies `part` (0..1) of the way from the first to the second. */
export function mix(from: Colour, to: Colour, part: number): Colour {
  return [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part, from[2] + (to[2] - from[2]) * part]
}

const BLACK: Colour = [12, 9, 14]
const WHITE: Colour = [255, 253, 246]

/** The colour, `part` (0..1) of the way to black. */
export const darker = (value: Colour, part: number): Colour => mix(value, BLACK, part)
/** The colour, `part` (0..1) of the way to white. */
export const lighter = (value: Colour, part: number): Colour => mix(value, WHITE, part)

/** Perceived brightness in 0..255 (the weights of ITU-R BT.601). */
export function brightness(value: Colour): number {
  return 0.299 * value[0] + 0.587 * value[1] + 0.114 * value[2]
}

/** A colour of full hue `degrees` with a saturation and lightness in 0..1 (the CSS Color definition of hsl). */
export function hsl(degrees: number, saturation: number, lightness: number): Colour {
  const chroma = saturation * Math.min(lightness, 1 - lightness)
  const channel = (n: number): number => {
    const k = (n + (((degrees % 360) + 360) % 360) / 30) % 12
    return 255 * (lightness - chroma * Math.max(-1, Math.min(k - 3, 9 - k, 1)))
  }
  return [channel(0), channel(8), channel(4)]
}
