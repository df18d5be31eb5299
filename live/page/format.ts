/** Formats of figures for people. */

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium' })
export const NOTHING = '–'
/** Space between a number and its unit. */
const NO_BREAK = '\u00a0'

export function integer(value: number): string {
  return whole.format(value)
}

/** Formats a loss or a norm, with as many digits as tell it from its neighbours. */
export function figure(value: number | null | undefined): string {
  if (value === null || value === undefined) return NOTHING
  if (!Number.isFinite(value)) return 'not finite'
  const size = Math.abs(value)
  if (size >= 10_000 || (size > 0 && size < 0.001)) return value.toExponential(1).replace('e+', 'e').replace('.0e', 'e')
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 2 : size >= 0.1 ? 3 : 4)
}

/** Formats a learning rate with at most three significant digits, as somebody would write it. */
export function rate(value: number): string {
  const rounded = Number(value.toPrecision(3))
  return value > 0 && value < 0.001 ? rounded.toExponential() : String(rounded)
}

/** Formats a share (0 to 1) as a percentage; a dash for an unknown or infinite one. */
export function percent(share: number | null | undefined, digits = 1): string {
  return share === null || share === undefined || !Number.isFinite(share) ? NOTHING : `${(share * 100).toFixed(digits)}${NO_BREAK}%`
}

/** Formats images a second, without the unit; a dash for an unknown speed. */
export function speed(imagesPerSecond: number | null | undefined): string {
  if (imagesPerSecond === null || imagesPerSecond === undefined) return NOTHING
  return imagesPerSecond >= 100 ? integer(imagesPerSecond) : imagesPerSecond.toFixed(1)
}

const UNITS = ['kB', 'MB', 'GB', 'TB', 'PB']

/** Formats a number of bytes in decimal units: "1.2 GB". */
export function bytes(count: number): string {
  if (count < 1000) return `${count} B`
  const power = Math.min(Math.floor(Math.log10(count) / 3), UNITS.length)
  const value = count / 1000 ** power
  return `${value.toFixed(value >= 100 ? 0 : 1)}${NO_BREAK}${UNITS[power - 1]}`
}

/** Formats a duration: "1 h 3 min", "12 min 5 s", "3.2 s". */
export function duration(seconds: number | null): string {
  if (seconds === null) return NOTHING
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  const all = Math.round(seconds)
  const [days, hours, minutes] = [Math.floor(all / 86_400), Math.floor((all / 3600) % 24), Math.floor((all / 60) % 60)]
  if (days > 0) return `${days} d ${hours} h`
  if (hours > 0) return `${hours} h ${minutes} min`
  return minutes > 0 ? `${minutes} min ${all % 60} s` : `${all} s`
}

/** Formats a time of day in the reader's time zone: "15:04:05". */
export function timeOfDay(time: Date | string): string {
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? NOTHING : clock.format(date)
}

/** Formats an ISO 8601 time in the reader's time zone: "31 Jan 2026, 15:04:05"; a dash for an invalid one. */
export function dateAndTime(time: string): string {
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? NOTHING : `${day.format(date)}, ${clock.format(date)}`
}

/** Formats whole numbers as ranges: "0–3, 7" for [0, 1, 2, 3, 7]. */
export function ranges(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((a, b) => a - b)
  const parts: [first: number, last: number][] = []
  for (const number of sorted) {
    const open = parts.at(-1)
    if (open !== undefined && number <= open[1] + 1) open[1] = number
    else parts.push([number, number])
  }
  return parts.map(([first, last]) => (first === last ? `${first}` : last === first + 1 ? `${first}, ${last}` : `${first}–${last}`)).join(', ')
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${integer(count)} ${count === 1 ? one : many}`
}

/** Formats a part of the recipe in few words: a named part by its name, an unknown one by a dash. */
export function recipeText(part: unknown): string {
  if (Array.isArray(part)) return part.map(recipeText).join(', ')
  if (typeof part === 'object' && part !== null) return 'name' in part ? recipeText(part.name) : JSON.stringify(part)
  if (typeof part === 'number') return Number.isInteger(part) ? integer(part) : rate(part)
  return part === null || part === undefined ? NOTHING : String(part)
}
