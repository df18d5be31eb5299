import type * as core from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'

/** The global object that the files in runtime/ fill. */
export type TensorFlow = typeof core & {
  loadLayersModel(url: string): Promise<Omit<LayersModel, 'predict'> & { predict(images: core.Tensor): core.Tensor }>
  wasm: { setWasmPaths(folder: string): void }
}

/** What the page needs of preprocessing.json. */
export interface Preprocessing {
  resize: { shortSide: number }
  centreCrop: number
  classes: string[]
}

declare global {
  var tf: unknown
}
