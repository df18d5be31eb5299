import { openDataset } from '../../shared/data/dataset.ts'
import { cacheFolder } from '../../shared/kit/paths.ts'

/** Prints a data set's split, one image a line, for benchmark/peers/train.py: `node bin/run.mjs benchmark/peers/split.ts FOLDER`. */
const [folder] = process.argv.slice(2)
const { dataset: { samples } } = await openDataset(folder, { testFraction: 0.2, cacheFolder: cacheFolder(), warn: (message) => process.stderr.write(`${message}\n`) })
for (let id = 0; id < samples.length; id++) process.stdout.write(`${samples.split(id)} ${samples.classOf(id)} ${samples.path(id)}\n`)
