import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { RunError } from '../../../../shared/kit/errors.ts'
import type { Cell } from '../../../../shared/evaluation/confusion.ts'
import { confusionPlot } from '../../../../shared/pictures/confusion.ts'
import { contactSheet } from '../../../../shared/pictures/contact_sheet.ts'
import { accuracyPlot, lossPlot, type CurvePoint } from '../../../../shared/pictures/curves.ts'
import { escapeXml, shorten } from '../../../../shared/pictures/text.ts'
import { renderPng, writePicture } from '../../../../shared/pictures/write_picture.ts'
import { temporaryFolder } from '../checkpoint/example.ts'
import { ROOT } from '../../../../shared/kit/project.ts'

function history(epochs: number): CurvePoint[] {
  return Array.from({ length: epochs }, (_, i) => ({ epoch: i + 1, trainLoss: 2.3 / (i + 1), testLoss: 2.4 / (i + 1), trainAccuracy: 1 - 0.9 / (i + 1), testAccuracy: 0.95 - 0.85 / (i + 1) }))
}

/** The texts of an SVG's elements. */
function texts(svg: string): string[] {
  return [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text)
}
/** Number of points of the lines drawn in a colour. */
function line(svg: string, colour: string): number {
  const paths = [...svg.matchAll(/<path d="([^"]+)"[^>]*>/g)].filter(([element]) => element.includes('fill="none"') && element.includes(`stroke="${colour}"`))
  return paths.reduce((points, [, d]) => points + (d.match(/-?[\d.]+ -?[\d.]+/g) ?? []).length, 0)
}

for (const [name, plot] of [['loss', lossPlot], ['accuracy', accuracyPlot]] as const) {
  for (const epochs of [0, 1, 2, 50, 400]) {
    test(`${name} of ${epochs} epochs: a clean SVG with both curves, drawn as a PNG`, async () => {
      const svg = plot(history(epochs))
      assert.match(svg, /^<svg width="880" height="500"/)
      assert.doesNotMatch(svg, /NaN|undefined|Infinity/)
      for (const expected of ['epoch', 'training', 'test', name === 'loss' ? 'Loss' : 'Accuracy']) assert.ok(texts(svg).includes(expected), expected)
      if (epochs >= 2) for (const colour of ['#8a97a6', '#d1495b']) assert.ok(line(svg, colour) >= epochs, `${line(svg, colour)} points`)
      const png = sharp(await renderPng(svg))
      assert.deepEqual([(await png.metadata()).width, (await png.metadata()).height], [1760, 1000])
      assert.ok((await png.stats()).channels[0].stdev > 5, 'not blank')
    })
  }
}

test('plots say what is best, and a diverged epoch leaves a gap', () => {
  const points = history(3)
  points[1] = { ...points[1], trainLoss: NaN, testLoss: Infinity }
  const svg = lossPlot(points)
  assert.doesNotMatch(svg, /NaN|Infinity/)
  assert.ok(texts(svg).includes('lowest test loss 0.800 after epoch 3'))
  assert.ok(texts(accuracyPlot(history(4))).includes('highest test accuracy 73.8 % after epoch 4'))
  assert.ok(texts(accuracyPlot([])).includes('no epoch yet'))
})

test('the confusion matrix shows counts and names, coloured by share of the row', () => {
  const svg = confusionPlot({ confusion: [[9, 1], [400, 100]] }, ['cane <dog> & co', 'gatto'])
  const shown = texts(svg)
  for (const expected of ['9', '1', '400', '100', 'gatto', 'cane &lt;dog&gt; &amp; co', '109 of 510 test images classified correctly (21.4 %)']) assert.ok(shown.includes(expected), expected)
  const cells = [...svg.matchAll(/<path d="[^"]+" fill="(rgb[^"]+|#[0-9a-f]+)"[^>]*stroke="#fff/g)].map(([, fill]) => fill)
  assert.equal(cells.length, 4)
  assert.notEqual(cells[0], cells[1])
  assert.equal(new Set(cells).size, 4)
})

test('confusion matrices of 2 to 40 classes, without images, and with strange names can be drawn', async () => {
  for (const count of [2, 10, 40]) {
    const matrix = Array.from({ length: count }, (_, i) => Array.from({ length: count }, (_, j) => (i === j ? 1234 : 0)))
    const svg = confusionPlot({ confusion: matrix }, matrix.map((_, i) => `class number ${i}`))
    const { width, height } = await sharp(await renderPng(svg)).metadata()
    assert.ok(width >= 2 * count * 22 && height >= 2 * count * 22)
    assert.equal(texts(svg).filter((text) => text === '1234').length, count)
    assert.equal(texts(svg).filter((text) => /^class number \d+$/.test(text)).length, 2 * count)
  }
  const strange = confusionPlot({ confusion: [[0, 0], [0, 0]] }, ['a\u0000\u001b"\ud800', 'x'.repeat(300)])
  assert.doesNotMatch(strange, /NaN/)
  assert.ok((await renderPng(strange)).length > 1000)
})

test('of a thousand classes the picture has those that are confused most', () => {
  const classes = Array.from({ length: 1000 }, (_, label) => `class ${label}`)
  // Each class is known, but for one in fifty, which is taken for the next one.
  const cells = classes.map((_, label): Cell => [label, label % 50 === 7 ? label + 1 : label, 5 + label % 3])
  const svg = confusionPlot({ confusion: [], cells }, classes)
  const shown = texts(svg)
  assert.ok(shown.includes('Confusion matrix of the 40 most confused of 1000 classes'))
  assert.ok(shown.some((text) => /^\d+ of \d+ test images classified correctly \(98\.0 %\)$/.test(text)))
  const names = new Set(shown.filter((text) => text.startsWith('class ')))
  assert.deepEqual([...names].sort(), classes.filter((_, label) => label % 50 === 7 || label % 50 === 8).sort())
})

test('a picture is written as SVG and PNG, whole or with a clear error', async (context) => {
  const folder = await temporaryFolder(context)
  const svg = lossPlot(history(2))
  await writePicture(join(folder, 'plots'), 'loss', svg)
  assert.deepEqual((await readdir(join(folder, 'plots'))).sort(), ['loss.png', 'loss.svg'])
  assert.equal(await readFile(join(folder, 'plots', 'loss.svg'), 'utf8'), svg)
  await writeFile(join(folder, 'file'), '')
  await assert.rejects(writePicture(join(folder, 'file'), 'loss', svg), RunError)
})

test('text is drawn with the bundled fonts where the machine has none', async (context) => {
  const folder = await temporaryFolder(context)
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="40"><text x="4" y="28" font-size="24" font-family="DejaVu Sans">Wiggle 93 %</text></svg>'
  await writeFile(join(folder, 'none.conf'), '<?xml version="1.0"?><fontconfig></fontconfig>')
  await mkdir(join(folder, 'cache'))
  const module = join(ROOT, 'dist/shared/pictures/write_picture.js')
  const script = `const { renderPng } = await import(${JSON.stringify(module)}); process.stdout.write((await renderPng(${JSON.stringify(svg)})).toString('base64'))`
  const drawn = async (environment: Record<string, string>): Promise<string> => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env: { ...process.env, ...environment }, maxBuffer: 1 << 24 })
    return stdout
  }
  const bareDrawing = await drawn({ FONTCONFIG_FILE: join(folder, 'none.conf'), XDG_CACHE_HOME: join(folder, 'cache') })
  // A child process inherits the configuration that its parent has set; and a home folder may not be writable.
  const inherited = join(folder, 'cache', 'herd', 'fonts', 'herd-fonts.conf')
  assert.equal(await drawn({ FONTCONFIG_FILE: inherited }), bareDrawing)
  assert.doesNotMatch(await readFile(inherited, 'utf8'), /<include[^>]*>[^<]*herd-fonts/)
  assert.equal(await drawn({ FONTCONFIG_FILE: join(folder, 'none.conf'), XDG_CACHE_HOME: join(folder, 'none.conf', 'inside'), TMPDIR: folder }), bareDrawing)
  const bare = await sharp(Buffer.from(bareDrawing, 'base64')).flatten({ background: '#ffffff' }).greyscale().raw().toBuffer()
  const here = await sharp(await renderPng(svg)).flatten({ background: '#ffffff' }).greyscale().raw().toBuffer()
  assert.ok(bare.filter((value) => value < 128).length > 500, 'text is there')
  assert.ok(bare.equals(here), 'the same letters as with system fonts')
})

test('a contact sheet has a tile for each image, framed by whether it is right', async () => {
  const blue = await sharp({ create: { width: 60, height: 40, channels: 3, background: '#0000ff' } }).jpeg().toBuffer()
  const raw = { data: new Uint8Array(8 * 8 * 3).fill(90), width: 8, height: 8, channels: 3 as const }
  const sheet = await contactSheet([
    { image: blue, label: 'cane (dog) 93 %', truth: 'cane (dog)', correct: true },
    { image: raw, label: '<b>&gatto\u0000 4 %', truth: 'cane (dog)', correct: false },
    { image: blue, label: `${'very '.repeat(20)}long 12 %` },
  ], 2)
  const { data, info } = await sharp(sheet).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  assert.deepEqual([info.width, info.height], [24 + 2 * 344, 24 + 2 * 408])
  const pixel = (x: number, y: number): number[] => [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)]
  const near = (actual: number[], expected: number[]): void => actual.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 6, `${actual.join()} is not ${expected.join()}`))
  near(pixel(24 + 160, 24 + 160), [0, 0, 254])
  near(pixel(24 + 3, 24 + 160), [0x2a, 0x9d, 0x5c])
  near(pixel(368 + 160, 24 + 160), [90, 90, 90])
  near(pixel(368 + 3, 24 + 160), [0xd1, 0x49, 0x5b])
  near(pixel(24 + 3, 432 + 160), [0, 0, 254])
  const captionStats = await sharp(await sharp(sheet).extract({ left: 24, top: 24 + 320, width: 320, height: 64 }).toBuffer()).stats()
  assert.ok(captionStats.channels[0].stdev > 10, 'caption is drawn')
  assert.ok((await contactSheet([])).length > 0)
})

test('text is escaped, and shortened so that its end stays', () => {
  assert.equal(escapeXml(`<a b="c">'&\u0001`), '&lt;a b=&quot;c&quot;&gt;&apos;&amp; ')
  assert.equal(shorten('scoiattolo 93 %', 15), 'scoiattolo 93 %')
  assert.equal(shorten('scoiattolo 93 %', 10, 5), 'scoi… 93 %')
  assert.equal(shorten('scoiattolo', 4), 'sco…')
})
