import type { OpenedDataset } from '../../shared/data/dataset.ts'
import { calibrationOf } from '../../shared/evaluation/calibration.ts'
import { confidentMistakes, likelyWrongLabels, type LabelledPrediction } from '../../shared/evaluation/doubts.ts'
import type { TestPrediction } from '../../shared/evaluation/score.ts'
import { SHOWN_IMAGES, showPredictions } from '../../shared/run_folder/shown_predictions.ts'
import type { ShownDoubt, TestDetails } from './reported.ts'

/** What predictions of all test images tell, with pictures of those that are worth a look. @throws DataError if an image cannot be read */
export async function detailsOf(predictions: readonly TestPrediction[], { dataset, source }: OpenedDataset): Promise<TestDetails> {
  const mistakes = confidentMistakes(predictions, SHOWN_IMAGES)
  return { calibration: calibrationOf(predictions), mistakes: { first: await showPredictions(mistakes.first, dataset, source), count: mistakes.count }, doubts: undefined }
}

/** As `detailsOf`, with likely wrong labels, which the probabilities of the labels tell. */
export async function detailsWithDoubts(predictions: readonly LabelledPrediction[], opened: OpenedDataset): Promise<TestDetails> {
  const doubts = likelyWrongLabels(predictions, opened.dataset.classes.length, SHOWN_IMAGES)
  const pictures = await showPredictions(doubts.first, opened.dataset, opened.source)
  const first = pictures.map((shown, index): ShownDoubt => ({ ...shown, labelProbability: doubts.first[index].labelProbability }))
  return { ...(await detailsOf(predictions, opened)), doubts: { first, count: doubts.count } }
}
