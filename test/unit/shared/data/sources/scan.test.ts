import assert from 'node:assert/strict'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { tellPassedOver } from '../../../../../shared/data/sources/notices.ts'
import { fileOf, scanFolder, type Scan } from '../../../../../shared/data/sources/scan.ts'
import { DataError } from '../../../../../shared/kit/errors.ts'
import { put, temporaryFolder } from '../images.ts'

let folder: string
let remove: () => Promise<void>
beforeEach(async () => {
  ({ folder, remove } = await temporaryFolder())
})
afterEach(() => remove())

/** Makes files that are no images, which is enough since a scan looks at names only. */
async function putNames(...paths: string[]): Promise<void> {
  for (const path of paths) await put(folder, path, 'x')
}

const fails = (root: string, ...words: string[]): Promise<void> =>
  assert.rejects(scanFolder(root), (error: Error) => {
    assert.ok(error instanceof DataError, String(error))
    for (const word of words) assert.ok(error.message.includes(word), `"${error.message}" lacks "${word}"`)
    return true
  })

/** Scans a folder, and lists what is in the columns. */
async function scanned(root: string): Promise<Omit<Scan, 'candidates'> & { candidates: { path: string; file: string; class: number; split: string | undefined }[] }> {
  const { candidates: { paths, classes, tests, spelled }, ...scan } = await scanFolder(root)
  const split = (place: number): string | undefined => (tests === undefined ? undefined : tests[place] === 1 ? 'test' : 'train')
  return { ...scan, candidates: [...paths].map((path, place) => ({ path, file: fileOf(scan.root, path, spelled), class: classes[place], split: split(place) })) }
}

describe('scanFolder', () => {
  it('finds images of every format and letter case, and nothing else', async () => {
    const images = ['jpg', 'jpeg', 'png', 'webp', 'gif', 'tiff', 'tif', 'JPG', 'Jpeg', 'PNG', 'WebP', 'GIF', 'TIFF', 'Tif'].map((extension, i) => `a/${i}.${extension}`)
    await putNames(...images, 'b/0.jpg', 'b/1.jpg', 'a/notes.txt', 'a/jpg', 'a/x.jpg.txt', 'a/.hidden.jpg', '.cache/0.jpg', 'loose.jpg')
    await mkdir(join(folder, 'empty/inner'), { recursive: true })
    const scan = await scanned(folder)
    assert.deepEqual(scan.classes, ['a', 'b'])
    assert.deepEqual(scan.candidates.map(({ path }) => path), [...images, 'b/0.jpg', 'b/1.jpg'].sort())
    assert.ok(scan.candidates.every(({ path, class: index, file }) => index === (path.startsWith('a/') ? 0 : 1) && file === join(folder, path)))
  })

  it('includes folders inside a class, and follows links once', async () => {
    await putNames('a/0.jpg', 'a/inner/deep/1.jpg', 'a/.git/2.jpg', 'b/0.jpg', 'b/1.jpg')
    await symlink(join(folder, 'a'), join(folder, 'a/inner/circle'))
    await symlink(join(folder, 'b'), join(folder, 'c'))
    const { classes, candidates } = await scanned(folder)
    assert.deepEqual(classes, ['a', 'b', 'c'])
    assert.deepEqual(candidates.map(({ path }) => path), ['a/0.jpg', 'a/inner/deep/1.jpg', 'b/0.jpg', 'b/1.jpg', 'c/0.jpg', 'c/1.jpg'])
  })

  it('sorts by code units, whatever the locale', async () => {
    await putNames('zebra/0.jpg', 'zebra/1.jpg', 'Zebra/0.jpg', 'Zebra/1.jpg', 'ähre/10.jpg', 'ähre/9.jpg', 'a/0.jpg', 'a/1.jpg')
    const { classes, candidates } = await scanned(folder)
    assert.deepEqual(classes, ['Zebra', 'a', 'zebra', 'ähre'])
    assert.deepEqual(candidates.slice(-2).map(({ path }) => path), ['ähre/10.jpg', 'ähre/9.jpg'])
  })

  it('gives a name one form, however the disk composes its characters', async () => {
    await putNames('cafe\u0301/e\u0301.jpg', 'cafe\u0301/z.jpg', 'b/0.jpg', 'b/1.jpg')
    const { classes, candidates } = await scanned(folder)
    assert.deepEqual(classes, ['b', 'caf\u00e9'])
    const image = candidates.find(({ path }) => path === 'caf\u00e9/\u00e9.jpg')
    assert.equal(image?.file, join(folder, 'cafe\u0301/e\u0301.jpg'))
  })

  it('refuses two names that become the same, and names that another system cannot have', async () => {
    await putNames('a/e\u0301.jpg', 'a/\u00e9.jpg', 'b/0.jpg', 'b/1.jpg')
    await fails(folder, 'differ only', 'a/\u00e9.jpg')
    await remove()
    await putNames('a/0\\1.jpg', 'a/2.jpg', 'b/0.jpg', 'b/1.jpg')
    await fails(folder, 'backslash', 'rename')
    await remove()
    for (const name of ['\u009bred', 'turned\u202eround', 'two\u2028lines']) {
      await putNames(`a/${name}.jpg`, 'a/2.jpg', 'b/0.jpg', 'b/1.jpg')
      await fails(folder, 'control characters')
      await remove()
    }
    await putNames('a: first/0.jpg', 'a: first/1.jpg', 'b/0.jpg', 'b/1.jpg')
    assert.deepEqual((await scanned(folder)).classes, ['a: first', 'b'])
  })

  it('takes raw-img where it is the only folder', async () => {
    await putNames('raw-img/cane/0.jpg', 'raw-img/cane/1.jpg', 'raw-img/gatto/0.jpg', 'raw-img/gatto/1.jpg', 'translate.py')
    const scan = await scanned(folder)
    assert.equal(scan.root, join(folder, 'raw-img'))
    assert.deepEqual(scan, await scanned(join(folder, 'raw-img')))
    assert.equal(scan.candidates[0].path, 'cane/0.jpg')
  })

  it('takes the split under other names that people give the halves', async () => {
    for (const [train, test] of [['train', 'val'], ['Train', 'Test'], ['training', 'testing'], ['train', 'valid'], ['train', 'validation'], ['seg_train', 'seg_test']]) {
      await putNames(`${train}/a/0.jpg`, `${train}/b/0.jpg`, `${test}/a/1.jpg`, `${test}/b/1.jpg`)
      const { classes, candidates } = await scanned(folder)
      assert.deepEqual(classes, ['a', 'b'])
      assert.deepEqual(candidates.filter(({ split }) => split === 'test').map(({ path }) => path), [`${test}/a/1.jpg`, `${test}/b/1.jpg`])
      await remove()
    }
  })

  it('refuses folders that hold the same classes and are no halves by their names', async () => {
    await putNames('one/a/0.jpg', 'one/b/0.jpg', 'two/a/1.jpg', 'two/b/1.jpg')
    await fails(folder, 'the same folders in one/, two/', 'call them train/ and test/')
  })

  it('tells what it passes over', async () => {
    await putNames('cat/0.jpg', 'cat/1.JFIF', 'dog/0.jpg', 'dog/1.jpg', 'heic/0.HEIC', 'heic/1.heic', 'cat/notes', 'cat/x.bmp', 'dog/@eaDir/0.jpg', '@eaDir/0.jpg', 'dog/Thumbs.db', 'loose.png',
      'runs/first/config.json', 'runs/first/checkpoints/latest.ckpt', 'runs/first/plots/loss.png', 'runs/first/plots/accuracy.png')
    const scan = await scanned(folder)
    assert.deepEqual(scan.classes, ['cat', 'dog'])
    assert.deepEqual(scan.candidates.map(({ path }) => path), ['cat/0.jpg', 'cat/1.JFIF', 'dog/0.jpg', 'dog/1.jpg'])
    assert.deepEqual(tellPassedOver(scan), [
      `4 files in ${folder} are left out, since their names are not of images (jpg, png, webp, gif or tiff): 2 .heic, 1 without an ending, 1 .bmp.`,
      `1 folder in ${folder} has no images and is no class: heic.`,
      `1 image in ${folder} lies beside the class folders and is left out.`,
      `1 folder in ${folder} is that of a run, and is passed over: ${join(folder, 'runs/first')}.`,
    ])
  })

  it('takes the split of train/ and test/', async () => {
    await putNames('train/a/0.jpg', 'train/b/0.jpg', 'test/a/1.jpg', 'test/b/1.jpg', 'README.md')
    const { classes, candidates } = await scanned(folder)
    assert.deepEqual(classes, ['a', 'b'])
    assert.deepEqual(candidates.map(({ path, class: index, split }) => [path, index, split]), [
      ['test/a/1.jpg', 0, 'test'],
      ['test/b/1.jpg', 1, 'test'],
      ['train/a/0.jpg', 0, 'train'],
      ['train/b/0.jpg', 1, 'train'],
    ])
  })

  it('takes train and test as classes where they hold images only', async () => {
    await putNames('train/0.jpg', 'train/1.jpg', 'test/0.jpg', 'test/1.jpg', 'car/0.jpg', 'car/1.jpg')
    assert.deepEqual((await scanned(folder)).classes, ['car', 'test', 'train'])
  })

  it('refuses train/ and test/ that do not fit', async () => {
    await putNames('train/a/0.jpg', 'train/b/0.jpg', 'test/a/1.jpg')
    await fails(folder, 'class b has no images', join(folder, 'test'))
    await putNames('test/b/0.jpg', 'test/c/0.jpg')
    await fails(folder, 'class c has no images', join(folder, 'train'))
    await putNames('train/c/0.jpg', 'val/a/0.jpg')
    await fails(folder, 'val/', 'left out')
  })

  it('refuses a test/ without labels', async () => {
    await putNames('train/a/0.jpg', 'train/b/0.jpg', 'test/0.jpg', 'test/1.jpg')
    await fails(folder, 'loose images in test/')
  })

  it('refuses folders that are no data set', async () => {
    await fails(join(folder, 'missing'), 'missing', 'does not exist', '--data')
    await putNames('file.jpg')
    await fails(join(folder, 'file.jpg'), 'is not a folder')
    await fails(folder, 'no folders with images')
    await putNames('only/0.jpg', 'only/1.jpg')
    await fails(folder, 'only one class, only')
    await putNames('small/0.jpg')
    await fails(folder, 'class small', 'only 1 image', 'at least one for training and one for testing')
  })
})
