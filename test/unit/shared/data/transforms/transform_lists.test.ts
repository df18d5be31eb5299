import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { drawTransforms, prepareForEvaluation } from '../../../../../shared/data/transforms/apply.ts'
import {
  augmentationSchema, decodeTarget, defaultAugmentation, defaultEvaluation, defaultTransforms, evaluationTransformsSchema, normalisationOf, normalisationProblem, transforms, type TransformList,
} from '../../../../../shared/data/transforms/transforms.ts'

const [flip, rotate, resize, centreCrop, normalise] = defaultAugmentation
const key = { seed: 3, epoch: 2, sample: 11 }

/** The complaints of a schema about a list: place and message of each. */
function refusal(schema: typeof augmentationSchema, list: unknown): string {
  const { error } = schema.safeParse(list)
  assert.ok(error !== undefined, 'the list was taken')
  return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n')
}

describe('lists of transforms', () => {
  it('have every parameter written out, and defaults for those that are left out', () => {
    assert.deepEqual(defaultAugmentation, [
      { name: 'flip', probability: 0.3 }, { name: 'rotate', degrees: 40 }, { name: 'resize', shortSide: 1.171875 }, { name: 'centreCrop' },
      { name: 'normalise', mean: null, std: null },
    ])
    assert.deepEqual(defaultEvaluation, defaultAugmentation.slice(2))
    assert.deepEqual(augmentationSchema.parse([{ name: 'flip' }, { name: 'resize' }, { name: 'centreCrop' }, { name: 'normalise' }]), [{ ...flip, probability: 0.5 }, resize, centreCrop, normalise])
    assert.deepEqual(augmentationSchema.parse(JSON.parse(JSON.stringify(defaultAugmentation))), defaultAugmentation)
  })

  it('are refused with the place and what was expected there', () => {
    assert.match(refusal(augmentationSchema, [flip, { name: 'sharpen' }, resize, centreCrop, normalise]), /^1\.name: expected a transform with its name, one of flip, rotate, resize, centreCrop, .*normalise$/)
    assert.match(refusal(augmentationSchema, [{ ...flip, probability: 1.5 }, resize, centreCrop, normalise]), /^0\.probability: .*<=1$/)
    assert.match(refusal(augmentationSchema, [{ ...flip, angle: 3 }, resize, centreCrop, normalise]), /^0: .*"angle"$/)
    assert.match(refusal(augmentationSchema, [{ ...rotate, degrees: 90 }, resize, centreCrop, normalise]), /^0\.degrees: .*<=45$/)
    assert.match(refusal(augmentationSchema, [{ ...resize, shortSide: 0.5 }, centreCrop, normalise]), /^0\.shortSide: .*>=1$/)
    assert.match(refusal(augmentationSchema, [resize, centreCrop, { ...normalise, std: [1, 0, 1] }]), /^2\.std\.1: .*>0$/)
  })

  it('are chains from a photograph to what the network takes', () => {
    const cases: [list: TransformList, expected: RegExp][] = [
      [[], /^0: the list ends with a photograph of any size; .* by "normalise" at its end$/],
      [[resize, centreCrop], /^2: the list ends with a square of the network's image size; /],
      [[resize, normalise], /^1: "normalise" takes a square of the network's image size; after "resize" there is a photograph that is at least as large as the network's images$/],
      [[centreCrop, normalise], /^0: "centreCrop" takes .*; at the beginning of the list there is a photograph of any size$/],
      [[resize, centreCrop, normalise, normalise], /^3: "normalise" takes .*; after "normalise" there is normalised numbers$/],
      [[resize, centreCrop, centreCrop, normalise], /^2: "centreCrop" takes /],
      [[rotate, flip, resize, centreCrop, normalise], /^1: "flip" takes a photograph of any size; after "rotate" there is a photograph of any size that was turned$/],
      [[rotate, rotate, resize, centreCrop, normalise], /^1: "rotate" takes /],
      [[resize, rotate, centreCrop, normalise], /^1: "rotate" takes /],
      [[resize, centreCrop, flip, normalise], /^2: "flip" takes /],
    ]
    for (const [list, expected] of cases) assert.match(refusal(augmentationSchema, list), expected)
    for (const list of [[resize, centreCrop, normalise], [flip, flip, resize, centreCrop, normalise], [rotate, resize, centreCrop, normalise]]) assert.deepEqual(augmentationSchema.parse(list), list)
  })

  it('for evaluation draw nothing', () => {
    for (const random of [flip, rotate]) assert.match(refusal(evaluationTransformsSchema, [random, resize, centreCrop, normalise]), new RegExp(`^0\\.name: "${random.name}" draws random numbers: leave it to the augmentation$`))
    assert.throws(() => prepareForEvaluation({ data: new Uint8Array(12), width: 2, height: 2 }, 1, [flip, ...defaultEvaluation], new Uint8Array(3), 0), /"flip" draws random numbers/)
  })

  it('say what the network is told: mean, standard deviation, and how far images may be reduced before', () => {
    const tiny = { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] } satisfies ReturnType<typeof normalisationOf>
    const lists = defaultTransforms(tiny)
    assert.deepEqual([lists.augmentation, lists.evaluation].map(normalisationOf), [tiny, tiny])
    assert.equal(normalisationProblem(lists, tiny), undefined)
    assert.equal(
      normalisationProblem({ ...lists, evaluation: defaultEvaluation }, tiny),
      'normalise of evaluation has mean unsaid and std unsaid, the network mean 0.5, 0.5, 0.5 and std 0.25, 0.25, 0.25: give all of them the same',
    )
    assert.match(normalisationProblem(lists, { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }) ?? '', /^normalise of augmentation has mean 0\.5/)
    const larger = evaluationTransformsSchema.parse([{ name: 'resize', shortSide: 2 }, centreCrop, normalise])
    assert.equal(decodeTarget({ augmentation: defaultAugmentation, evaluation: larger }, 100), 400, 'one size for both lists')
    assert.equal(decodeTarget({ augmentation: defaultAugmentation, evaluation: defaultEvaluation }, 100), 234)
  })
})

describe('what a transform draws', () => {
  const draw = (list: TransformList, name: string): unknown[] => drawTransforms(list, key).flatMap((one) => (one.name === name ? [one.drawn] : []))

  it('does not depend on the others of the list', () => {
    assert.deepEqual(draw([rotate, ...defaultEvaluation], 'rotate'), draw(defaultAugmentation, 'rotate'))
    assert.deepEqual(draw([flip, ...defaultEvaluation], 'flip'), draw(defaultAugmentation, 'flip'))
    assert.deepEqual(draw([flip, flip, rotate, ...defaultEvaluation], 'rotate'), draw(defaultAugmentation, 'rotate'))
  })

  it('is its own where it stands twice', () => {
    const pairs = Array.from({ length: 200 }, (_, sample) => drawTransforms([{ name: 'flip', probability: 0.5 }, { name: 'flip', probability: 0.5 }], { ...key, sample }))
    const equal = pairs.filter(([one, other]) => one.drawn === other.drawn).length
    assert.ok(equal > 60 && equal < 140, `${equal} of 200 alike`)
  })

  it('comes from words that no other kind has', () => {
    const drawing = Object.values(transforms).flatMap(({ draws }) => (draws === undefined ? [] : [draws]))
    const words = drawing.map(({ stream, skip = 0 }) => `${stream} from ${skip}`)
    assert.equal(new Set(words).size, words.length, words.join('; '))
    assert.deepEqual(drawing.filter(({ stream }) => stream === 0).map(({ skip = 0 }) => skip), [0, 1], 'only flip and rotation share a stream: each draws one word')
    assert.ok(drawing.every(({ stream }) => stream >= 0 && stream < 2 ** 16))
  })
})
