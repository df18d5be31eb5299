import { parentPort } from 'node:worker_threads'
import { svgOf, type Drawing } from './drawing.ts'

/** The thread of a DrawingThread: it answers each drawing with its SVG. An error ends it, and is thrown where the picture was asked for. */
parentPort?.on('message', (drawing: Drawing) => parentPort?.postMessage(svgOf(drawing)))
