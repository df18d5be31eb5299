import { copyFile, mkdir, readdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { ROOT } from '../../shared/kit/project.ts'

/** Folder of the example page, which is served as it is. */
const PAGE_FOLDER = join(ROOT, 'deploy/web')
/** The page's own files, by the ends of their names: what else is there is for those who change it. */
const SERVED = /\.(html|css|js)$/

/** Files of TensorFlow.js that the page loads, by package. The names of those in WebAssembly are TensorFlow.js's, which chooses one of them. */
const RUNTIME = {
  '@tensorflow/tfjs-core': ['tf-core.es2017.min.js'],
  '@tensorflow/tfjs-layers': ['tf-layers.es2017.min.js'],
  '@tensorflow/tfjs-backend-wasm': ['tf-backend-wasm.es2017.min.js', 'tfjs-backend-wasm.wasm', 'tfjs-backend-wasm-simd.wasm'],
}

/**
 * Writes a page that classifies photographs in a browser into a new folder, with all that it needs: the page, TensorFlow.js in runtime/, the model in model/.
 * @param writeModel writes the model, with its preprocessing.json, into the new folder that it is given
 */
export async function writeWebPage(folder: string, writeModel: (folder: string) => Promise<void>): Promise<void> {
  await mkdir(folder)
  for (const name of await readdir(PAGE_FOLDER)) if (SERVED.test(name)) await copyFile(join(PAGE_FOLDER, name), join(folder, name))
  await mkdir(join(folder, 'runtime'))
  const { resolve } = createRequire(import.meta.url)
  for (const [name, files] of Object.entries(RUNTIME)) {
    for (const file of files) await copyFile(join(dirname(resolve(name)), file), join(folder, 'runtime', file))
  }
  await writeModel(join(folder, 'model'))
}
