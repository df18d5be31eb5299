import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import sharp from 'sharp'
import { Program } from '../support/processes.ts'
import { createWorkspace, withoutNative, type Workspace } from '../support/workspace.ts'
import { alwaysPredict, CLASSES, damagedCheckpoints, herdIn, jsonLines, makeCheckpoint, makeImage } from './fixture.ts'

interface Prediction {
  image: string
  class: string
  name: string
  probability: number
  top: { class: string; name: string; probability: number }[]
}

describe('herd predict', { concurrency: 2 }, () => {
  let workspace: Workspace
  let herd: ReturnType<typeof herdIn>
  /** Checkpoint that predicts cane 70 %, gatto 20 %, ragno 10 % for any image. */
  let constant: string
  let random: string
  let red: string
  let blue: string
  let notAnImage: string

  before(async () => {
    workspace = await createWorkspace()
    herd = herdIn(workspace)
    constant = await makeCheckpoint(workspace.path('constant.ckpt'), alwaysPredict([0.7, 0.2, 0.1]))
    random = await makeCheckpoint(workspace.path('random.ckpt'))
    red = await makeImage(workspace.path('red.png'), '#e02010')
    blue = await makeImage(workspace.path('blue.jpg'), '#1020e0')
    notAnImage = workspace.path('notes.jpg')
    await writeFile(notAnImage, 'not an image at all')
  })
  after(() => workspace.remove())

  it('prints the class of each image, in the order given, with the English of Italian names', async () => {
    const { code, stdout, stderr } = await herd(['predict', '--checkpoint', constant, red, blue])
    assert.equal(code, 0, stderr)
    assert.deepEqual(stdout.split('\n').map((line) => line.split(/ {2,}/)), [[red, 'cane (dog) 70.0 %'], [blue, 'cane (dog) 70.0 %'], ['']])
  })

  it('prints the K best of a folder\'s images, and draws them over an older sheet', async () => {
    const folder = workspace.path('photos')
    await mkdir(`${folder}/deep`, { recursive: true })
    const images = [await makeImage(`${folder}/a.PNG`, 'green'), await makeImage(`${folder}/deep/b.webp`, 'grey'), await makeImage(`${folder}/z.tiff`, 'white')]
    await makeImage(`${folder}/.hidden.png`, 'black')
    await writeFile(`${folder}/readme.txt`, 'no image, and not called one')
    const sheet = workspace.path('sheets/sheet.png')
    await mkdir(workspace.path('sheets'))
    await writeFile(sheet, 'an older sheet')

    const { code, stdout, stderr } = await herd(['predict', '--checkpoint', constant, '--top', '3', '--sheet', sheet, folder])
    assert.equal(code, 0, stderr)
    const lines = stdout.trimEnd().split('\n')
    assert.deepEqual(lines.map((line) => line.split(/ {2,}/)), images.map((image) => [image, 'cane (dog) 70.0 %', 'gatto (cat) 20.0 %', 'ragno (spider) 10.0 %']))
    const { format, width, height } = await sharp(await readFile(sheet)).metadata()
    assert.deepEqual({ format, width, height }, { format: 'png', width: 24 + 2 * 344, height: 24 + 2 * 408 }, 'three images in two columns')
    assert.deepEqual(await readdir(workspace.path('sheets')), ['sheet.png'], 'nothing half-written is left')
  })

  it('names what is no image, predicts the others and exits with 1', async () => {
    const empty = workspace.path('empty')
    await mkdir(empty)
    const missing = workspace.path('missing.jpg')
    const { code, stdout, stderr } = await herd(['predict', '--json', '--checkpoint', constant, notAnImage, red, missing, empty, blue])
    assert.equal(code, 1)
    const lines = jsonLines(stdout) as (Prediction & { error?: string })[]
    assert.deepEqual(lines.map(({ image }) => image), [notAnImage, red, missing, empty, blue])
    assert.deepEqual(lines.map((line) => line.class), [undefined, 'cane', undefined, undefined, 'cane'])
    const errors = stderr.split('\n').filter((line) => line.includes('ERROR'))
    assert.equal(errors.length, 3, stderr)
    for (const [index, says] of [/notes\.jpg cannot be decoded/, /missing\.jpg does not exist/, /empty holds no images/].entries()) assert.match(errors[index], says)
    assert.equal(lines[0].error, `${notAnImage} cannot be decoded: Input buffer contains unsupported image format.`)
    assert.doesNotMatch(stderr, /\n\s+at /, 'no stack trace')
  })

  it('writes CSV, of a folder, a pattern and paths that come by standard input, and says what could not be read', async () => {
    const folder = workspace.path('many')
    await mkdir(`${folder}/a, b`, { recursive: true })
    const [inA, inMany] = [await makeImage(`${folder}/a, b/1.png`, 'green'), await makeImage(`${folder}/2.jpg`, 'grey')]
    await makeImage(`${folder}/3.png`, 'grey')
    const paths = new Program('herd', ['predict', '--csv', '--top', '2', '--checkpoint', constant], workspace.environment, [], { stdin: 'pipe' })
    paths.child.stdin?.end(`${folder}/a, b\n\n${folder}/*.jpg\r\n${notAnImage}`)
    const { code, stdout, stderr } = await paths.ended
    assert.equal(code, 1, stderr)
    const likely = 'cane,cane (dog),0.7,gatto,gatto (cat),0.2'
    const [header, ...lines] = stdout.trimEnd().split('\n')
    assert.equal(header, 'image,error,class,name,probability,class_2,name_2,probability_2')
    const rounded = lines.map((line) => line.replaceAll(/0\.\d+/g, (number) => String(Number(Number(number).toFixed(6)))))
    assert.deepEqual(rounded, [`"${inA}",,${likely}`, `${inMany},,${likely}`, `${notAnImage},${notAnImage} cannot be decoded: Input buffer contains unsupported image format.,,,,,,`])
  })

  it('takes an image from standard input', async () => {
    const asked = new Program('herd', ['predict', '--json', '--checkpoint', random, '-', red], workspace.environment, [], { stdin: 'pipe' })
    asked.child.stdin?.end(await readFile(red))
    const { code, stdout, stderr } = await asked.ended
    assert.equal(code, 0, stderr)
    const [piped, file] = jsonLines(stdout) as Prediction[]
    assert.deepEqual([piped.image, file.image, piped.top], ['-', red, file.top])
  })

  it('sees the images: other pixels, other probabilities, which add up to 1', async () => {
    const { code, stdout, stderr } = await herd(['predict', '--json', '--top', '3', '--checkpoint', random, red, blue, red])
    assert.equal(code, 0, stderr)
    const [first, second, again] = jsonLines(stdout) as Prediction[]
    for (const { top, class: best, name, probability } of [first, second]) {
      assert.deepEqual(top[0], { class: best, name, probability })
      assert.deepEqual(top.map((one) => one.class).sort(), CLASSES)
      assert.ok(top[0].probability >= top[1].probability && top[1].probability >= top[2].probability)
      assert.ok(Math.abs(top.reduce((sum, one) => sum + one.probability, 0) - 1) < 1e-9)
    }
    assert.deepEqual(again, first)
    assert.notEqual(first.probability, second.probability)
  })

  it('computes the same on both engines', { skip: withoutNative }, async () => {
    const [native, wasm] = await Promise.all(
      ['native', 'wasm'].map(async (engine) => jsonLines((await herd(['predict', '--json', '--engine', engine, '--checkpoint', random, red, blue])).stdout) as Prediction[]),
    )
    assert.deepEqual(native.map((one) => one.class), wasm.map((one) => one.class))
    native.forEach(({ probability }, index) => assert.ok(Math.abs(probability - wasm[index].probability) < 1e-5))
  })

  it("keeps TensorFlow's own lines to itself, unless --verbose", { skip: withoutNative }, async () => {
    const asked = ['predict', '--engine', 'native', '--checkpoint', random, red]
    assert.equal((await herd(asked)).stderr, '')
    assert.match((await herd([...asked, '--verbose'])).stderr, /DEBUG: .*absl::InitializeLog/)
  })

  it('takes options from the environment and a config file; the command line wins', async () => {
    const config = workspace.path('herd.json')
    await writeFile(config, JSON.stringify({ top: 3, checkpoint: workspace.path('not-this-one.ckpt') }))
    const [fromFile, overridden] = await Promise.all([
      herd(['predict', '--json', '--config', config, red], { HERD_CHECKPOINT: constant }),
      herd(['predict', '--json', '--config', config, '--top', '2', red], { HERD_CHECKPOINT: constant, HERD_TOP: '1' }),
    ])
    assert.equal((jsonLines(fromFile.stdout) as Prediction[])[0].top.length, 3, fromFile.stderr)
    assert.equal((jsonLines(overridden.stdout) as Prediction[])[0].top.length, 2, overridden.stderr)
  })

  it('says when wasm takes over a run of its own', async () => {
    const checkpoint = await makeCheckpoint(workspace.path('wasm.ckpt'), (made) => (made.config = { engine: 'wasm', precision: 'f32', threads: 1 }))
    const { code, stderr } = await herd(['predict', '--checkpoint', checkpoint, red])
    assert.equal(code, 0)
    assert.match(stderr, /wasm computes, as in the run; --engine native is faster/)
  })

  it('refuses damaged and diverged checkpoints', async () => {
    const cases = await damagedCheckpoints(constant, workspace.folder)
    cases.push({ file: await makeCheckpoint(workspace.path('diverged.ckpt'), ({ parameters }) => parameters.fill(Number.NaN)), says: /diverged\.ckpt gives no numbers: its training diverged/ })
    await Promise.all(
      cases.map(async ({ file, says }) => {
        const { code, stdout, stderr } = await herd(['predict', '--checkpoint', file, red])
        assert.equal(code, 1, file)
        assert.equal(stdout, '')
        assert.match(stderr, says)
      }),
    )
  })

  const wrong: [args: string[], code: number, says: RegExp][] = [
    [['x.jpg'], 2, /^error: --checkpoint is missing: expected a checkpoint/],
    [['--checkpoint', 'CONSTANT', '--top', '0', 'x.jpg'], 2, /^error: --top 0: expected a whole number of at least 1/],
    [['--checkpoint', 'CONSTANT', '--top', '4', 'x.jpg'], 2, /^error: --top 4: expected at most 3, the number of classes/],
    [['--checkpoint', 'CONSTANT', '--sheet', 'sheet.jpg', 'x.jpg'], 2, /^error: --sheet sheet\.jpg: expected a file name that ends in \.png/],
    [['--checkpoint', 'CONSTANT', '--engine', 'wasm', '--precision', 'bf16', 'x.jpg'], 1, /^error: --precision bf16 needs the native engine/],
    [['--checkpoint', 'CONSTANT'], 2, /^error: no image is given: expected image files, folders or patterns/],
    [['--checkpoint', 'CONSTANT', '--csv', '--json', 'x.jpg'], 2, /^error: --json and --csv exclude each other/],
  ]
  it('refuses wrong options', async () => {
    await Promise.all(
      wrong.map(async ([args, expected, says]) => {
        const { code, stdout, stderr } = await herd(['predict', ...args.map((arg) => (arg === 'CONSTANT' ? constant : arg))])
        assert.equal(code, expected, stderr)
        assert.equal(stdout, '')
        assert.match(stderr, says)
      }),
    )
  })

  it('leaves what is there alone when the sheet cannot be written', async () => {
    const occupied = workspace.path('occupied.png')
    await mkdir(occupied)
    const { code, stdout, stderr } = await herd(['predict', '--checkpoint', constant, '--sheet', occupied, red])
    assert.equal(code, 1)
    assert.match(stdout, /cane \(dog\) 70\.0 %/)
    assert.match(stderr, /error: --sheet .*occupied\.png cannot be written/)
    assert.deepEqual(await readdir(occupied), [])
    assert.deepEqual((await readdir(workspace.folder)).filter((name) => name.startsWith('occupied')), ['occupied.png'])
  })
})
