import { type KeyedRandom } from '../../shared/random/philox.ts'
import { type Base, type Coat, type Pattern, randomCoat } from './coat.ts'
import { darker, lighter } from './colour.ts'
import { type BodyPlan, paintQuadruped } from './quadruped.ts'
import { type Sketch } from './sketch.ts'

function paint(sketch: Sketch, plan: (coat: Coat) => BodyPlan, patterns: readonly Pattern[], usual: readonly Base[], random: KeyedRandom): void {
  const coat = randomCoat(random, patterns, usual)
  const body = plan(coat)
  const build = random.between(0.9, 1.12)
  const legs = random.between(0.92, 1.08)
  paintQuadruped(sketch, { ...body, length: body.length * build, leg: body.leg * legs }, coat, random)
}

export function paintDog(sketch: Sketch, random: KeyedRandom): void {
  const ear = random.uniform() < 0.8 ? 'floppy' : 'pointed'
  const tongue = random.uniform() < 0.5
  paint(sketch, () => ({
    poses: ['stand', 'stand', 'walk', 'walk', 'run', 'sit', 'sit', 'lie', 'front'],
    length: 72, hip: 17, middle: 18, chest: 21, leg: 50, thigh: 10, foot: 5.5, hoof: false,
    neck: 32, neckRise: [40, 65], neckWidth: 13, headDrop: [-8, 20], tail: 'curled', turns: 0.2, collar: true,
    head: { skull: 18, muzzle: 30, nose: 8.5, ear, earLength: ear === 'floppy' ? 26 : 18, tongue },
  }), ['plain', 'plain', 'spots', 'saddle', 'saddle'], ['tan', 'sand'], random)
}

export function paintHorse(sketch: Sketch, random: KeyedRandom): void {
  paint(sketch, () => ({
    poses: ['stand', 'stand', 'walk', 'walk', 'run', 'run', 'graze', 'front'],
    length: 88, hip: 23, middle: 22, chest: 24, leg: 74, thigh: 10, foot: 4.6, hoof: true,
    neck: 60, neckRise: [42, 62], neckWidth: 12, headDrop: [32, 58], tail: 'hair', turns: 0.1, mane: true,
    head: { skull: 14, muzzle: 42, nose: 8.5, ear: 'pointed', earLength: 15, forelock: true },
  }), ['plain', 'plain', 'plain', 'plain', 'saddle'], ['brown', 'chestnut', 'umber'], random)
}

export function paintElephant(sketch: Sketch, random: KeyedRandom): void {
  const tusks = random.uniform() < 0.7
  const earLength = random.between(34, 48)
  paint(sketch, () => ({
    poses: ['stand', 'stand', 'walk', 'walk', 'front'],
    length: 84, hip: 38, middle: 40, chest: 38, leg: 42, thigh: 17, foot: 13, hoof: false,
    neck: 34, neckRise: [12, 35], neckWidth: 26, headDrop: [-8, 8], tail: 'tuft', turns: 0.25,
    head: { skull: 29, muzzle: 30, nose: 12, ear: 'fan', earLength, trunk: true, tusks },
  }), ['plain', 'plain', 'plain', 'saddle'], ['grey', 'ash'], random)
}

export function paintCat(sketch: Sketch, random: KeyedRandom): void {
  paint(sketch, () => ({
    poses: ['stand', 'sit', 'sit', 'sit', 'sit', 'front', 'front', 'lie'],
    length: 70, hip: 17, middle: 17, chest: 17, leg: 34, thigh: 9, foot: 5.5, hoof: false,
    neck: 24, neckRise: [35, 60], neckWidth: 13, headDrop: [-5, 15], tail: 'long', turns: 0.75, collar: true,
    head: { skull: 20, muzzle: 15, nose: 9, ear: 'pointed', earLength: 17, whiskers: true },
  }), ['stripes', 'stripes', 'stripes', 'stripes', 'plain'], ['slate', 'black', 'ash'], random)
}

export function paintCow(sketch: Sketch, random: KeyedRandom): void {
  const horns = random.uniform() < 0.75 ? 'short' : 'none'
  paint(sketch, () => ({
    poses: ['stand', 'stand', 'walk', 'walk', 'graze', 'lie', 'front'],
    length: 108, hip: 29, middle: 31, chest: 30, leg: 42, thigh: 11, foot: 5.5, hoof: true,
    neck: 38, neckRise: [10, 35], neckWidth: 18, headDrop: [18, 42], tail: 'tuft', turns: 0.25, udder: true,
    head: { skull: 18, muzzle: 36, nose: 12.5, ear: 'sideways', earLength: 20, horns, paleNose: true },
  }), ['patches'], ['white', 'black'], random)
}

export function paintSheep(sketch: Sketch, random: KeyedRandom): void {
  const horns = random.uniform() < 0.25 ? 'curled' : 'none'
  const darkFace = random.uniform() < 0.85
  paint(sketch, (coat) => ({
    poses: ['stand', 'stand', 'walk', 'walk', 'walk', 'graze', 'front'],
    length: 66, hip: 26, middle: 32, chest: 25, leg: 34, thigh: 7, foot: 4, hoof: true,
    neck: 34, neckRise: [12, 45], neckWidth: 15, headDrop: [22, 48], tail: 'stub', turns: 0.2, wool: true,
    head: { skull: 13, muzzle: 24, nose: 7.5, ear: 'sideways', earLength: 17, horns, woolCap: true, face: darkFace ? darker(coat.base, 0.65) : lighter(coat.base, 0.45) },
  }), ['plain'], ['wool', 'white', 'cream'], random)
}
