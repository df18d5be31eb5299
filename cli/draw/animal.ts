import { type KeyedRandom } from '../../shared/random/philox.ts'
import { paintBackground, type View } from './background.ts'
import { paintButterfly } from './butterfly.ts'
import { paintDistractor, paintLight, paintOccluder } from './foreground.ts'
import { paintHen } from './hen.ts'
import { paintCat, paintCow, paintDog, paintElephant, paintHorse, paintSheep } from './mammals.ts'
import { Sketch } from './sketch.ts'
import { paintSpider } from './spider.ts'
import { paintSquirrel } from './squirrel.ts'

/** The ten classes of Animals-10 in the order of their folder names; a class's index is its place here. */
export const DRAWN_CLASSES = ['cane', 'cavallo', 'elefante', 'farfalla', 'gallina', 'gatto', 'mucca', 'pecora', 'ragno', 'scoiattolo'] as const

const PAINTERS = [paintDog, paintHorse, paintElephant, paintButterfly, paintHen, paintCat, paintCow, paintSheep, paintSpider, paintSquirrel]

/** Width and height in pixels; a size that is listed n times is n times as probable. Most pictures of Animals-10 are 300 wide. */
export const DRAWN_SIZES: readonly (readonly [number, number])[] = [
  [300, 225], [300, 225], [300, 225], [300, 200], [300, 200], [300, 240], [300, 169], [320, 240], [300, 300], [225, 300], [200, 300], [240, 300],
]

/**
 * Draws one picture of an animal as SVG; every choice in it is taken from `random`.
 * @param classIndex place in DRAWN_CLASSES
 */
export function drawAnimal(classIndex: number, random: KeyedRandom): string {
  const [width, height] = random.pick(DRAWN_SIZES)
  const view: View = { width, height, horizon: height * random.between(0.35, 0.72) }
  const back = new Sketch('b')
  paintBackground(back, view, random)
  for (let i = random.below(3); i > 0; i--) paintDistractor(back, view, random)

  const haze = `<rect width="${width}" height="${height}" fill="#f1efe6" opacity="${Math.round(random.between(0.3, 0.65) * 100) / 100}"/>`

  const animal = new Sketch('a')
  PAINTERS[classIndex](animal, random)
  const transform = placeInView(animal, view, random)

  const front = new Sketch('f')
  if (random.uniform() < 0.15) paintOccluder(front, view, random)
  const light = paintLight(front, view, random)
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">` +
    `${back.text()}${haze}<g transform="${transform}">${animal.text()}</g>${front.text()}${light}</svg>`
  )
}

/**
 * Scales, mirrors, turns and moves the animal so that it fills much of the picture's middle square, which is what a centre
 * crop leaves of it; now and then an edge cuts it.
 */
function placeInView(animal: Sketch, view: View, random: KeyedRandom): string {
  const { left, right, top, bottom } = animal.bounds
  const side = Math.min(view.width, view.height)
  const fits = side / Math.max(right - left, bottom - top)
  const scale = fits * (random.uniform() < 0.07 ? random.between(1.05, 1.3) : random.between(0.84, 1.04))
  const spare = side * 0.09
  const x = view.width / 2 + spare * random.between(-1, 1) * (view.width > view.height ? 1.6 : 1)
  const y = view.height / 2 + spare * random.between(-0.5, 1) * (view.height > view.width ? 1.6 : 1)
  const flip = random.pick([-1, 1])
  const turn = random.between(-5, 5)
  const numbers = [x, y, turn, flip * scale, scale, -(left + right) / 2, -(top + bottom) / 2].map((value) => Math.round(value * 1000) / 1000)
  return `translate(${numbers[0]} ${numbers[1]}) rotate(${numbers[2]}) scale(${numbers[3]} ${numbers[4]}) translate(${numbers[5]} ${numbers[6]})`
}
