import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import http from 'node:http'
import path from 'node:path'
import { after, before, test } from 'node:test'
import type { Browser } from 'playwright-core'
import sharp from 'sharp'
import { exportCheckpoint } from '../../cli/export/export.ts'
import { renderAnimal } from '../../cli/draw/raster.ts'
import { classify } from '../../cli/classify.ts'
import { openCheckpoint, openModel } from '../../cli/inference.ts'
import { createLog } from '../../shared/kit/log.ts'
import { ROOT } from '../../shared/kit/project.ts'
import { likeliest, type Likely } from '../../shared/evaluation/probabilities.ts'
import { makeCheckpoint } from '../cli/fixture.ts'
import { barriers, needsBrowser, openPage, overflow, says, startBrowser } from '../support/browser.ts'
import { createWorkspace, type Workspace } from '../support/workspace.ts'

/** Tests of the page that `herd export --format web` writes, in a real browser. */

const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json', '.wasm': 'application/wasm' }

let browser: Browser | undefined
let workspace: Workspace
before(async () => {
  workspace = await createWorkspace()
  if (needsBrowser.skip === false) browser = await startBrowser()
})
after(async () => {
  await browser?.close()
  await workspace.remove()
})

/** Serves the files of a folder, as any web server does. @returns the server's address */
async function serveFolder(folder: string): Promise<{ url: string; close: () => void }> {
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const file = path.join(folder, pathname === '/' ? 'index.html' : pathname)
    readFile(file).then(
      (body) => response.setHeader('content-type', TYPES[path.extname(file)] ?? 'application/octet-stream').end(body),
      () => response.writeHead(404).end(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return { url: `http://127.0.0.1:${address.port}/`, close: () => void server.close().closeAllConnections() }
}

/** What `herd predict` says of photographs. */
async function predicted(checkpoint: string, photographs: readonly string[]): Promise<Likely[][]> {
  const opened = await openCheckpoint(checkpoint)
  const model = await openModel(opened, { engine: 'wasm', precision: undefined, numerics: undefined, threads: undefined, gpu: undefined }, createLog({ quiet: true, verbose: false, logFormat: 'pretty' }))
  const all: Likely[][] = []
  for await (const outcome of classify(model, photographs.map((file) => ({ path: file })), 0)) {
    assert.ok(outcome.problem === undefined, outcome.problem)
    all.push(likeliest(outcome.probabilities, opened.checkpoint.classes, opened.checkpoint.classes.length))
  }
  return all
}

test('the exported page says of photographs what herd predict says, without asking another host', needsBrowser, async (t) => {
  assert.ok(browser !== undefined)
  const checkpoint = await makeCheckpoint(workspace.path('random.ckpt'), ({ parameters }) => parameters.forEach((value, index) => (parameters[index] = 1.7 * value)))
  const site = workspace.path('site')
  await exportCheckpoint(await openCheckpoint(checkpoint), 'web', site)
  const animal = sharp(await renderAnimal(1, 4, 2))
  // Probabilities are shown to a thousandth. Browsers mix transparent pixels with white in another rounding than Herd, and reduce what is much too large by another filter.
  const photographs: Record<string, { bytes: Buffer; tolerance: number }> = {
    'exact.png': { bytes: await animal.clone().resize(70, 52).png().toBuffer(), tolerance: 0.001 },
    'upright.jpg': { bytes: await animal.clone().resize(60, 70).jpeg().toBuffer(), tolerance: 0.002 },
    // Stored lying, with the orientation that turns it.
    'turned.jpg': { bytes: await animal.clone().resize(66, 50).jpeg({ quality: 95 }).withMetadata({ orientation: 6 }).toBuffer(), tolerance: 0.002 },
    'transparent.png': { bytes: await animal.clone().resize(70, 52).ensureAlpha(0.4).png().toBuffer(), tolerance: 0.01 },
    'large.jpg': { bytes: await animal.clone().resize(1200, 900).jpeg().toBuffer(), tolerance: 0.03 },
  }
  const files = await Promise.all(Object.entries(photographs).map(async ([name, { bytes }]) => {
    await writeFile(workspace.path(name), bytes)
    return workspace.path(name)
  }))
  const expected = await predicted(checkpoint, files)

  const server = await serveFolder(site)
  t.after(server.close)
  const { page, complaints } = await openPage(browser, server.url)
  t.after(() => page.close())
  await says(page.getByRole('status'), /^The network tells 3 classes apart/)
  for (const [index, file] of files.entries()) {
    await page.getByLabel('Choose a photograph').setInputFiles(file)
    const [best] = expected[index]
    await says(page.getByRole('status'), new RegExp(`^${best.class}, \\d`))
    const shown = await page.getByRole('listitem').evaluateAll((items) => items.map((item) => ({ name: item.children[0].textContent, share: Number.parseFloat(item.children[2].textContent) / 100 })))
    const { tolerance } = photographs[path.basename(file)]
    assert.deepEqual(shown.map(({ name }) => name), expected[index].map(({ class: name }) => name))
    shown.forEach(({ share }, at) => assert.ok(Math.abs(share - expected[index][at].probability) <= tolerance, `${path.basename(file)}: ${JSON.stringify({ shown, expected: expected[index] })}`))
  }
  assert.deepEqual(await barriers(page), [])
  assert.equal(await overflow(page), 0)
  await page.getByLabel('Choose a photograph').setInputFiles({ name: 'notes.png', mimeType: 'image/png', buffer: Buffer.from('no picture') })
  await says(page.getByRole('alert'), /^this is no picture that the browser can read/)
  assert.deepEqual(complaints, [])
})

test('the page without a model says what is missing', needsBrowser, async (t) => {
  assert.ok(browser !== undefined)
  const server = await serveFolder(path.join(ROOT, 'deploy/web'))
  t.after(server.close)
  const { page, complaints } = await openPage(browser, server.url, { expected: /status of 404/ })
  t.after(() => page.close())
  await says(page.getByRole('alert'), /^model\/preprocessing\.json cannot be loaded \(HTTP 404\): herd export --format web writes this page with a model\.$/)
  assert.equal(await page.getByLabel('Choose a photograph').isDisabled(), true)
  assert.deepEqual(complaints, [])
})
