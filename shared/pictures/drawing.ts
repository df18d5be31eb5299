import type { Calibration } from '../evaluation/calibration.ts'
import type { Confused } from '../evaluation/confusion.ts'
import { calibrationPlot } from './calibration.ts'
import { comparedPlot, type ComparedFigure, type ComparedRun, type Others } from './compared.ts'
import { confusionPlot } from './confusion.ts'
import { accuracyPlot, lossPlot, type CurvePoint } from './curves.ts'
import { triedPlot, type Tried } from './tried.ts'

/** A picture of a run that is drawn again and again, with what it shows: plain values, which can be sent to another thread. */
export type Drawing =
  | { picture: 'loss' | 'accuracy'; history: readonly CurvePoint[] }
  | { picture: 'confusion'; confused: Confused; classNames: readonly string[] }
  | { picture: 'calibration'; calibration: Calibration }
  | { picture: 'compared'; runs: readonly ComparedRun[]; figure: ComparedFigure; others?: Others }
  | { picture: 'tried'; tried: Tried }

/** Draws a picture in the calling thread, which takes some hundred milliseconds. @returns SVG */
export function svgOf(drawing: Drawing): string {
  switch (drawing.picture) {
    case 'loss': return lossPlot(drawing.history)
    case 'accuracy': return accuracyPlot(drawing.history)
    case 'confusion': return confusionPlot(drawing.confused, drawing.classNames)
    case 'calibration': return calibrationPlot(drawing.calibration)
    case 'compared': return comparedPlot(drawing.runs, drawing.figure, drawing.others)
    case 'tried': return triedPlot(drawing.tried)
  }
}
