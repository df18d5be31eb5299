import { EngineError } from '../kit/errors.ts'
import { dropoutLayers, type Network } from '../model/network.ts'
import type { Layout } from '../model/layout.ts'
import type { LaneInput } from './engine.ts'

/** Checks the length of a vector. @param name name of the vector, for the error @throws EngineError if it does not have the layout's size */
export function checkVector(name: string, vector: Float32Array, layout: Layout): void {
  if (vector.length !== layout.size) throw new EngineError(`${name} has ${vector.length} values, but the network's layout has ${layout.size}.`)
}

/** Checks that the frozen parameters are there. @param count number of them @throws EngineError if they have not been set */
export function checkFrozen(count: number, { parameters }: Layout): void {
  if (count < parameters.length) throw new EngineError(`${count} of ${parameters.length} frozen parameters have been set.`)
}

/** Checks the number and the bytes of images. @throws EngineError if there is no image, or their bytes are not count x imageSize x imageSize x 3 */
export function checkImages(images: Uint8Array, count: number, network: Network): void {
  const expected = count * network.imageSize * network.imageSize * 3
  if (count < 1) throw new EngineError(`count is ${count}, but an engine needs at least one image.`)
  if (images.length !== expected) throw new EngineError(`images has ${images.length} bytes, but ${count} images of ${network.imageSize} x ${network.imageSize} x 3 have ${expected}.`)
}

/** Checks the input of a lane. @throws EngineError if its images, labels and masks do not fit the network or each other */
export function checkLane(lane: LaneInput, network: Network): void {
  const count = lane.labels.length
  checkImages(lane.images, count, network)
  const wrong = lane.labels.find((label) => label < 0 || label >= network.classes)
  if (wrong !== undefined) throw new EngineError(`labels has class ${wrong}, but the network has classes 0 to ${network.classes - 1}.`)
  checkPartners(lane, network)
  const layers = dropoutLayers(network)
  if (lane.masks.length !== layers.length) throw new EngineError(`masks has ${lane.masks.length} masks, but the network has ${layers.length} dropout layers.`)
  layers.forEach(({ shape }, index) => {
    const expected = shape.reduce((a, b) => a * b, count)
    if (lane.masks[index].length !== expected) throw new EngineError(`masks[${index}] has ${lane.masks[index].length} values, but ${count} samples of [${shape.join(', ')}] have ${expected}.`)
  })
}

function checkPartners({ labels, partners }: LaneInput, { classes, loss }: Network): void {
  if ((partners !== undefined) !== (loss?.mix !== undefined)) throw new EngineError(`partners is ${partners === undefined ? 'not ' : ''}given, but the network's loss ${loss?.mix === undefined ? 'does not mix' : 'mixes'} images.`)
  if (partners === undefined) return
  for (const { length } of [partners.labels, partners.share]) if (length !== labels.length) throw new EngineError(`partners has ${length} values, but the lane has ${labels.length} samples.`)
  const wrong = partners.labels.find((label) => label < 0 || label >= classes)
  if (wrong !== undefined) throw new EngineError(`partners has class ${wrong}, but the network has classes 0 to ${classes - 1}.`)
  const share = partners.share.find((each) => !(each >= 0 && each <= 1))
  if (share !== undefined) throw new EngineError(`partners has a share of ${share}, but expected are numbers from 0 to 1.`)
}
