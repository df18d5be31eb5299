import { createHash } from 'node:crypto'
import { versionsOf } from '../kit/versions.ts'
import { augment, prepareForEvaluation } from './transforms/apply.ts'
import { DECODER_VERSION, decodeImage } from './transforms/decode.ts'
import { decodeTarget, type TransformLists } from './transforms/transforms.ts'

/** A JPEG with edges, gradients, noise and reduced colours: what decoders, resamplers and transforms could round differently. It must never change. */
const PICTURE = Buffer.from(
  '/9j/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT0//wAARCABaAHgDASIAAhEBAxEB/8QAGgAAAgMBAQAAAAAAAAAAAAAAAgUDBAYAAf/EACkQAAICAQMEAQQCAwAAAAAAAAABAhEhMUFRAxJhcYEEkaHBMvBS0fH/xAAbAQEBAQADAQEAAAAAAAAAAAAEAwYCBQcAAf/EACYRAAICAgEEAgIDAQAAAAAAAAECABETYRIDBCExFIEyUSSRobH/2gAMAwEAAhEDEQA/AMXGI2jroBFlRRN4zc516nnAUMr8DWLYCvwVFHa/Qd25xSnJBUWNQVmimo2rIO3P3FKcmoCjY3WhGueSqoh3bnFKckjUXWg2XFfAEcMqKGbDu3OKU5IKj5Gq8ICymo7WQducUpye4Kjh2NbwAqb0KsY8h3bnFKckCMVfg4ZZy2cRPViR1vEyyWnJaTrcjjYUYrBrHa55upuRqJbivNkay+AlHQg7XFKbkaiWlp8ALkKMG2lVt6UHdrilNzzo9CXUlUaxq9kXYwjFcs6EVCCXy2Wu2lg6Dq9w3ekqjcQP9/5ND0O2XpqC4syFx+wOHdnKqJ+3kKXPeG/x4/fv+v1Fncqy6KTTiq8Ei5/R57D6kM9xfo93nuxVSPU6YHkSBRLasjs9UfBzdrnJTcDtpnE6fNHEi8SHNRConifHyRou9prHap5upqAlW2oMWAi72+A7tUUp4wFHNvJ70afUjaIU7Yy+kSX1Eb85+AnceUYX7Bju3IXqLf7Eu9pRbo7h7DLtwZ5m+X78V9+/6moJxyJxKXNOzrGLjnQ4lvlar7nxOORduSnuvtqdX4GDjSeDjzzkH1U+Y8BK0Vf/AEFcALDouqN0KdqklPGAovONjiJM4iYoDxFvbpgop1/sFPQbqOdNTWO3CebqccDt9YKSemAItv0OFHDIO3CKU44CiU02njbKAT+Ruohnbh783FKT0ow6Ul1IKUXtlCnbQq9LqOHlPVWaSEodRXF2+GdP3fQYt59TRdv3ShRfswe3OgnO2/Y8qsA2bNqoq8O7kKXgU7r8njkrwxqo3bZQWSHYSPU6g6XgG7gKP9RSQC5ocKOMnJ24T9U44Cjg4XLycRK+fcUvT8e5Co+RNEBGjUfBrXbFu55upwbuD24QmW/GgC0s0ijnTHAd2xbuKU4N3I4xzyJ02AjRqLDu2LdxSnBu4EY5sTrQBWaNRtbEHbFu4lTg3c87uo9ZSv2JU21lkdeDRxjuGcjpbjFY9H2buCo7MTJgI0ajsQdsW7iFOHdwFHjAnW+oC9mj7eFRB2w7uKU4N3B7fwcIkziOLcSO33Ju31ZmotUs+iNcGvX7NaxwbuecKfjbv6gqJm18gR1+TWR29h3ODdxSn427nijwZxN/JHwa+BBzg3cUp+Nu4Ki+6zNIF4je+DWQ0Ydjg3cUp+Nu54oryZtPQD/I1yDucG7il/jbuComaXvUFbezWx/v2Du2DdxKn427nijqq0M2sbfcjj/E1+7IOcG7ilPxt39eoKicZdfyOIHtz+4kdoa/L/J//9k=',
  'base64',
)
/** Number of times that the picture is augmented, so that transforms with a probability are among them. */
const TIMES = 8

/** What a worker does to images before the engine gets them, as far as a fixed picture can tell. */
export interface InputFacts {
  /** Hash of the picture, decoded, resized, augmented and prepared for evaluation: 16 hexadecimal digits. */
  fingerprint: string
  /** Versions of Herd and of its decoder of images. */
  versions: string
}

/**
 * Prepares the built-in picture as a run's images are. Machines whose results are equal give their engines the same pixels.
 * @param run transforms, size of the network's images, and seed of the run
 */
export async function inputFacts(run: TransformLists & { seed: number }, imageSize: number): Promise<InputFacts> {
  const image = await decodeImage(PICTURE, decodeTarget(run, imageSize), 'the built-in picture')
  const pixels = new Uint8Array(imageSize * imageSize * 3)
  const hash = createHash('sha256')
  for (let sample = 0; sample < TIMES; sample++) {
    augment(image, imageSize, run.augmentation, { seed: run.seed, epoch: 1, sample }, pixels, 0)
    hash.update(pixels)
  }
  prepareForEvaluation(image, imageSize, run.evaluation, pixels, 0)
  return { fingerprint: hash.update(pixels).digest('hex').slice(0, 16), versions: `Herd ${versionsOf().herd}, ${DECODER_VERSION}` }
}
