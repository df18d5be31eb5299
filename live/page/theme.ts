/** Colours of page.css, for what is drawn on a canvas. */
export interface Theme {
  ink: string
  muted: string
  line: string
  surface: string
  /** Of runs, of workers, of curves: `seriesColour` takes from them. */
  series: string[]
  font: string
}

/** So many that are told apart easily, by the colour-blind as well; then they come again. */
const COLOURS = 8

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

export function onThemeChange(listener: () => void): void {
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', listener)
}

export function seriesColour(theme: Theme, index: number): string {
  return theme.series[index % COLOURS]
}

/** For elements: a class that sets --colour. */
export function seriesClass(index: number): string {
  return `series-${(index % COLOURS) + 1}`
}

/** Runs are told apart by how their lines are drawn, too. In pixels: line, gap, ... */
const DASHES = [[], [8, 4], [2, 3], [12, 3, 2, 3], [5, 2], [14, 5], [2, 6], [8, 3, 2, 3, 2, 3]]

export function dashOf(index: number): number[] {
  return DASHES[index % DASHES.length]
}
