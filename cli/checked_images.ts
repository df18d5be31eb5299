import { openDataset, type OpenedDataset } from '../shared/data/dataset.ts'
import { cacheFolder } from '../shared/kit/paths.ts'
import type { Notices } from './command.ts'
import { counted } from './output.ts'

/**
 * Opens a data set, and tells of what is left out of it.
 * @param fraction share of the images that is the test split
 * @throws as `openDataset`
 */
export async function checkImages(data: string, fraction: number, notices: Notices): Promise<OpenedDataset> {
  const progress = notices.progress('checking images')
  try {
    const opened = await openDataset(data, { testFraction: fraction, cacheFolder: cacheFolder(), warn: (message) => notices.log.warn(message), onProgress: progress.update })
    const { skipped } = opened.dataset
    for (const notice of opened.dataset.notices) notices.log.warn(notice)
    if (skipped.length > 0) notices.log.warn(`${counted(skipped.length, 'unreadable image')} left out; \`herd data check ${data}\` names them.`)
    return opened
  } finally {
    progress.end()
  }
}
