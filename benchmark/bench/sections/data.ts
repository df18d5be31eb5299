import { execFile } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { nodeArguments, NODE_ENVIRONMENT } from '../../../shared/kit/node_process.ts'
import { classesOf, dataFiguresSchema, type DataFigures, type DataWork } from '../data_figures.ts'
import type { BenchSettings, Section } from '../section.ts'

const MAIN = path.join(import.meta.dirname, '../data_main.js')
/** Images of which files are drawn; of more, only what needs no files is measured. */
const MOST_FILES = 2_000_000

const MEASURED: readonly { work: DataWork; name: string; prepare: readonly DataWork[] }[] = [
  { work: 'start', name: 'coordinator: folder, files checked before, split, order', prepare: ['draw', 'check'] },
  { work: 'readCache', name: 'what is known of the files, read from its file alone', prepare: ['writeCache'] },
  { work: 'manifest', name: 'worker without images: manifest, split, order', prepare: [] },
]

/** Measures how a data set of so many made-up images starts, when all of it was checked before. */
export async function dataSection({ rounds, folder: all, log }: BenchSettings, images: number): Promise<Section> {
  const folder = path.join(all, `data-${images}`)
  await mkdir(folder, { recursive: true })
  const run = async (work: DataWork): Promise<DataFigures> => {
    const { stdout } = await promisify(execFile)(process.execPath, [...nodeArguments(MAIN), work, folder, String(images)], { env: { ...process.env, ...NODE_ENVIRONMENT } })
    return dataFiguresSchema.parse(JSON.parse(stdout))
  }
  const measured = MEASURED.filter(({ work }) => work !== 'start' || images <= MOST_FILES)
  const figures = new Map<string, DataFigures[]>(measured.map(({ name }) => [name, []]))
  try {
    for (const { prepare } of measured) {
      for (const work of prepare) {
        const { seconds } = await run(work)
        log(`data: ${images} images, ${work}: ${seconds.toFixed(1)} s`)
      }
    }
    for (let round = 0; round < rounds; round++) {
      for (const { work, name } of measured) {
        const found = await run(work)
        figures.get(name)?.push(found)
        log(`data: ${images} images, ${name}: ${found.seconds.toFixed(1)} s, ${Math.round(found.residentMib)} MiB`)
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  const derived = (what: string, unit: string, key: keyof DataFigures): Section['derived'] => [...figures].map(([name, values]) => ({ name: `${name}: ${what}`, unit, values: values.map((each) => each[key]) }))
  return {
    title: `A data set of ${images.toLocaleString('en')} made-up images`,
    about: `In ${classesOf(images).toLocaleString('en')} classes, with names as those of ImageNet. Files are there, sparse ones that nobody reads, and what was found out about them as if they had been hashed and decoded; the manifest comes without a network in between.`,
    unit: 's', more: false, baseline: measured[0].name,
    measures: [...figures].map(([name, values]) => ({ name, values: values.map(({ seconds }) => seconds) })),
    derived: [...derived('processor time', 's', 'processorSeconds'), ...derived('memory', 'MiB', 'residentMib'), ...derived('longest time without a turn for others', 'ms', 'longestPauseMs')],
    notes: images <= MOST_FILES ? [] : [`Without the coordinator's part: so many files were not drawn.`],
  }
}
