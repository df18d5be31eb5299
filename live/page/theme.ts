/** Colours of page.css, for drawing on a canvas. */
export interface Theme {
  ink: string
  muted: string
  line: string
  surface: string
  /** Colours of runs, workers and curves, which `seriesColour` chooses from. */
  series: string[]
  font: string
}

/** Number of colours that everybody, the colour-blind included, tells apart easily; after these they repeat. */
const COLOURS = 8

/** Reads the present colours, which differ between the light and the dark scheme. */
export function readTheme(): Theme {
  const style = getComputedStyle(document.documentElement)
  const value = (name: string): string => style.getPropertyValue(name).trim()
  return {
    ink: value('--ink'),
    muted: value('--muted'),
    line: value('--line'),
    surface: value('--surface'),
    series: Array.from({ length: COLOURS }, (_, i) => value(`--series-${i + 1}`)),
    font: value('--font'),
  }
}

/** Calls a listener, for as long as the page is open, when the system changes between light and dark. */
export function onThemeChange(listener: () => void): void {
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', listener)
}

export function seriesColour(theme: Theme, index: number): string {
  return theme.series[index % COLOURS]
}

/** Class for elements that sets --colour. */
export function seriesClass(index: number): string {
  return `series-${(index % COLOURS) + 1}`
}

/** Dash patterns, which tell runs apart beside their colours. In pixels: line, gap, ... */
const DASHES = [[], [8, 4], [2, 3], [12, 3, 2, 3], [5, 2], [14, 5], [2, 6], [8, 3, 2, 3, 2, 3]]

/** Dash pattern of a series, in pixels; empty for a solid line. */
export function dashOf(index: number): number[] {
  return DASHES[index % DASHES.length]
}
