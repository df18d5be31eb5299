import type { Confused } from '../evaluation/confusion.ts'
import { confusionPlot } from './confusion.ts'
import { accuracyPlot, lossPlot, type CurvePoint } from './curves.ts'

/** A picture of a run that is drawn again and again, with what it shows: plain values, which can be sent to another thread. */
export type Drawing =
  | { picture: 'loss' | 'accuracy'; history: readonly CurvePoint[] }
  | { picture: 'confusion'; confused: Confused; classNames: readonly string[] }

/** Draws a picture in the calling thread, which takes some hundred milliseconds. @returns SVG */
export function svgOf(drawing: Drawing): string {
  switch (drawing.picture) {
    case 'loss': return lossPlot(drawing.history)
    case 'accuracy': return accuracyPlot(drawing.history)
    case 'confusion': return confusionPlot(drawing.confused, drawing.classNames)
  }
}
