import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import http from 'node:http'
import net from 'node:net'
import path from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { serveLive } from '../../live/server.ts'
import { reportPage } from '../../live/report/report.ts'
import { calibrationOf } from '../../shared/evaluation/calibration.ts'
import { svgOf } from '../../shared/pictures/drawing.ts'
import { Token } from '../../shared/security/token.ts'
import { temporaryFolder } from '../unit/shared/checkpoint/example.ts'
import { barriers, drawnPictures, eventually, needsBrowser, openPage, overflow, says, startBrowser, type Opened, type ViewOptions } from '../support/browser.ts'
import { epochLine, evaluation, event, FedSource, finishedRun, member, progressAt, runAfter, stepPoint, strip, STEPS_PER_EPOCH } from '../support/live_source.ts'

/** Tests of the live page in a real browser, from the real server; only the events of the run are made up. */

const EVERYBODY = ['rack-1', 'rack-2', 'laptop <b>']
const TOKEN = 'a-token-of-thirty-two-characters'

let browser: Browser
let pictures: string[]

before(async () => {
  if (needsBrowser.skip !== false) return
  browser = await startBrowser()
  pictures = await drawnPictures(12)
})

after(async () => {
  await browser?.close()
})

/** Serves the source until the test ends. @returns the page's address, and `close` to end it sooner */
async function serve(t: TestContext, source: FedSource, { token, port = 0 }: { token?: Token; port?: number } = {}): Promise<{ url: string; port: number; close(): Promise<void> }> {
  const server = await serveLive(source, { host: '127.0.0.1', port, token, tls: undefined })
  t.after(() => server.close())
  return { url: `http://127.0.0.1:${server.port}/`, ...server }
}

async function open(t: TestContext, source: FedSource, options: ViewOptions & { token?: Token } = {}): Promise<Opened> {
  const { url } = await serve(t, source, options)
  const opened = await openPage(browser, url, options)
  t.after(() => opened.page.close())
  return opened
}

function takeStep(source: FedSource, step: number, names = EVERYBODY): void {
  source.push({ newSteps: [stepPoint(step)], newStrips: [strip(step)], progress: progressAt(step), members: names.map((name) => member(name, step)) })
}

function chart(page: Page, title: string): ReturnType<Page['locator']> {
  return page.locator('.chart', { has: page.getByRole('heading', { name: title, exact: true }) })
}

/** Finds a card by its heading. */
function section(page: Page, name: string): ReturnType<Page['locator']> {
  return page.getByRole('region', { name, exact: true })
}

const tableOf = (page: Page, name: string): ReturnType<Page['locator']> => page.getByRole('region', { name, exact: true })

test('a run that goes on: header, progress and curves follow it', needsBrowser, async (t) => {
  const source = new FedSource([runAfter(90)])
  const { page, complaints } = await open(t, source)
  await page.getByRole('heading', { level: 1, name: 'first' }).waitFor()
  await says(page.locator('.connection'), /^Live$/)
  await says(page.locator('.facts'), /article, 2,230,170 parameters.*20,943 training, 5,236 test, 256 px.*64 in 8 lanes.*native, bf16.*Workers ?3/)
  await says(section(page, 'Progress'), /Epoch 3 of 12 25 % step 10 of 40 · 16 s left.*Whole run 18 % step 90 of 480 · 3 min 31 s left/)

  const loss = chart(page, 'Loss')
  const picture = await loss.locator('canvas').screenshot()
  assert.equal(await loss.locator('.plot').getAttribute('data-points'), '90')
  for (let step = 91; step <= 2.5 * STEPS_PER_EPOCH; step++) takeStep(source, step)
  await eventually(() => loss.locator('.plot').getAttribute('data-points'), (points) => points === '100')
  assert.match(await loss.locator('.plot').getAttribute('aria-label') ?? '', /^Loss\. Newest values, at step 100: each step 1\.\d{3}, training 1\.\d{3}, test 2\.\d{3}\.$/)
  assert.notDeepEqual(await loss.locator('canvas').screenshot(), picture)
  await says(chart(page, 'Images a second').locator('.legend'), /each step 1\d\d epoch 119/)
  await says(chart(page, 'Gradient norm').locator('.legend'), /each step 1\.\d{3}/)
  await says(section(page, 'Progress'), /step 20 of 40.*step 100 of 480/)

  source.push({ state: 'evaluating', progress: { ...progressAt(120), testing: { done: 5, total: 20 } } })
  await says(section(page, 'Progress'), /Evaluation 25 % block 5 of 20/)
  await says(page.locator('.badge'), /Evaluating/)
  source.push({ state: 'training', newHistory: [epochLine(3)], progress: progressAt(120) })
  await says(page.locator('.figures'), /Test accuracy 30\.9 % epoch 3, the best so far Test loss 1\.826/)
  await page.getByText('Epoch by epoch, as a table').click()
  await says(tableOf(page, 'Table of the epochs').getByRole('row').nth(1), /^3 1\.730 1\.826/)
  assert.deepEqual(complaints, [])
})

test('workers: what each does, how fast, who computed what, and who is gone', needsBrowser, async (t) => {
  const source = new FedSource([runAfter(50)])
  const { page, complaints } = await open(t, source, { expected: /willReadFrequently/ })
  const row = (name: string): ReturnType<Page['locator']> => tableOf(page, 'Table of the workers').getByRole('row').filter({ hasText: name })
  await says(row('rack-1'), /TensorFlow 2\.18\.1, cpu.*computing lanes 0–3 – 200 1,600 128 ms 1\.2 GB 223 MB 892 MB 25 s/)
  // A worker's name is shown as text, not as HTML.
  await says(row('laptop'), /laptop <b>.*computing lane 7/)
  assert.equal(await page.locator('.workers b').count(), 0)

  for (let step = 51; step <= 60; step++) takeStep(source, step)
  // The speed is that of four lanes of eight images, twice a second.
  await says(row('rack-1'), /computing lanes 0–3 64\.0/)
  source.push({ members: [{ ...member('rack-1', 61), state: 'idle', owes: [] }, { ...member('rack-2', 61), state: 'draining' }, { ...member('laptop <b>', 61), kind: 'EVALUATE', owes: [2, 3, 4] }] })
  await says(row('rack-1'), / idle /)
  await says(row('rack-2'), / leaving, after lanes 4, 5 /)
  await says(row('laptop'), / evaluating blocks 2–4 /)

  const canvas = section(page, 'Workers').getByRole('img')
  assert.match(await canvas.getAttribute('aria-label') ?? '', /^Lanes of the last 40 steps by worker\. Step 60: rack-1 computed lanes 0–3; rack-2 computed lanes 4, 5; laptop <b> computed lanes 6, 7\.$/)
  for (const [lane, legend] of [[0, 'rack-1'], [4, 'rack-2'], [7, 'laptop <b>']] as const) {
    const mark = page.locator('.lanes .legend li').filter({ hasText: legend }).locator('.worker-mark')
    const colour = await mark.evaluate((element) => getComputedStyle(element).backgroundColor)
    // This pixel is at the right edge of the newest column, beside the number.
    const drawn = await canvas.evaluate((element, row) => {
      const canvas = element as HTMLCanvasElement
      const data = canvas.getContext('2d')?.getImageData(canvas.width - 5, row * 18 + 3, 1, 1).data ?? []
      return `rgb(${data[0]}, ${data[1]}, ${data[2]})`
    }, lane)
    assert.equal(drawn, colour, `lane ${lane} of ${legend}`)
  }

  takeStep(source, 62, ['rack-1', 'laptop <b>'])
  source.push({ newEvents: [event(70, 'workerLost', 'warning', 'rack-2 was lost: its connection broke.')] })
  await says(row('rack-2'), /gone since \d\d:\d\d:\d\d/)
  await says(section(page, 'Events').getByRole('listitem').first(), /^09:01:10 Warning ?rack-2 was lost: its connection broke\.$/)
  await eventually(() => page.locator('#announcer').textContent(), (text) => text === 'rack-2 was lost: its connection broke.')
  await says(page.locator('.facts'), /Workers ?2$/)
  assert.deepEqual(complaints, [])
})

test('an evaluation: confusion matrix, accuracy of each class, predictions as pictures', needsBrowser, async (t) => {
  const source = new FedSource([runAfter(80)])
  const { page, complaints } = await open(t, source)
  await says(section(page, 'Confusion matrix').first(), /It comes with the first evaluation/)
  source.push({ evaluation: evaluation(2, pictures) })
  const matrix = page.locator('.matrix')
  await says(matrix.getByRole('row').nth(1), /^cane \(dog\) 14 0 0 4/)
  assert.equal(await matrix.getByRole('columnheader', { name: 'gatto (cat)' }).count(), 1)
  assert.equal(await matrix.getByRole('cell').count(), 10 * 10 + 1)
  await says(tableOf(page, 'Accuracy of each class').getByRole('row').nth(1), /^cane \(dog\) 22 64 %$/)

  const predictions = section(page, 'Predictions on test images').getByRole('listitem')
  await says(predictions.nth(0), /Right: ?cane \(dog\) 42 % right/)
  await says(predictions.nth(1), /Wrong: ?gallina \(chicken\) 55 % is cavallo \(horse\)/)
  const image = page.getByRole('img', { name: 'Test image of cavallo (horse)' }).first()
  await eventually(() => image.evaluate(naturalWidth), (width) => width === 128)

  // Elements that have not changed are kept.
  await matrix.evaluate((table) => table.setAttribute('data-kept', 'yes'))
  takeStep(source, 81)
  await says(section(page, 'Progress'), /step 81 of/)
  assert.equal(await matrix.getAttribute('data-kept'), 'yes')
  assert.deepEqual(complaints, [])
})

test('a photograph: chosen, dropped, or no photograph at all', needsBrowser, async (t) => {
  const source = new FedSource([runAfter(120)])
  const { page, complaints } = await open(t, source, { expected: /status of 400/ })
  const card = section(page, 'Ask about a photograph')
  const red = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><rect width="40" height="30" fill="#c00"/></svg>')
  await page.getByLabel('Choose a photograph').setInputFiles({ name: 'cat.svg', mimeType: 'image/svg+xml', buffer: red })
  await says(card.getByRole('status'), /^gatto \(cat\), 82\.0 %, say the weights of step 120 \(epoch 3\)\.$/)
  await says(card.getByRole('listitem').nth(1), /^cane \(dog\) 10\.0 %$/)
  assert.equal(await card.locator('.answer .share-bar').first().getAttribute('data-share'), '0.820')
  await eventually(() => card.getByRole('img', { name: 'Your photograph' }).evaluate(naturalWidth), (width) => width === 40)

  await drop(page, 'blue.svg', 'image/svg+xml', red.toString().replace('#c00', '#00c'))
  await says(card.getByRole('status'), /^cane \(dog\), 82\.0 %/)
  await drop(page, 'notes.txt', 'text/plain', 'no picture')
  await says(card.getByRole('alert'), /^This is no image that can be read/)
  assert.equal(await card.getByRole('listitem').count(), 0)
  assert.deepEqual(source.asked, [0, 0, 0])
  assert.deepEqual(complaints, [])
})

/** Dispatches the events of a person who drops a file on the page. */
async function drop(page: Page, name: string, type: string, text: string): Promise<void> {
  await page.locator('.drop').evaluate(
    (element, [bits, file, mimeType]) => {
      const dataTransfer = new DataTransfer()
      dataTransfer.items.add(new File([bits], file, { type: mimeType }))
      element.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }))
    },
    [text, name, type],
  )
}

function naturalWidth(image: Element): number {
  return (image as HTMLImageElement).naturalWidth
}

test('without a connection it says so and since when, and comes back by itself', needsBrowser, async (t) => {
  const source = new FedSource([runAfter(20)])
  const { url, port, close } = await serve(t, source)
  const { page, complaints } = await openPage(browser, url, { expected: /ERR_CONNECTION_REFUSED/ })
  t.after(() => page.close())
  await says(page.locator('.connection'), /^Live$/)
  await close()
  await says(page.locator('.connection'), /^Disconnected since \d\d:\d\d:\d\d (next attempt in \d+ s|trying again now)$/)
  assert.match(await page.locator('#announcer').textContent() ?? '', /^Disconnected since \d\d:\d\d:\d\d\. .* reconnects by itself\.$/)
  // The last known state stays in sight.
  await says(section(page, 'Progress'), /step 20 of 480/)
  takeStep(source, 21)
  await serve(t, source, { port })
  await says(page.locator('.connection'), /^Live$/)
  assert.equal(await page.locator('#announcer').textContent(), 'Connected again.')
  await says(section(page, 'Progress'), /step 21 of 480/)
  takeStep(source, 22)
  await says(section(page, 'Progress'), /step 22 of 480/)
  assert.deepEqual(complaints, [])
})

test('the token is asked for, once', needsBrowser, async (t) => {
  const source = new FedSource([runAfter(20)])
  const { page, complaints } = await open(t, source, { token: new Token(TOKEN, 'the test'), expected: /status of 401/ })
  const token = page.getByLabel('Token')
  await token.waitFor()
  assert.equal(await page.getByRole('heading', { name: 'first' }).isVisible(), false)
  assert.deepEqual(await barriers(page), [])
  await token.fill('a-token-that-is-not-the-right-one')
  await page.getByRole('button', { name: 'Log in' }).click()
  await says(section(page, 'Log in').getByRole('alert'), /not the run's token/)
  await token.fill(TOKEN)
  await token.press('Enter')
  await page.getByRole('heading', { level: 1, name: 'first' }).waitFor()
  await says(page.locator('.connection'), /^Live$/)
  await page.reload()
  await page.getByRole('heading', { level: 1, name: 'first' }).waitFor()
  assert.equal(await token.isVisible(), false)
  assert.deepEqual(complaints, [])
})

test('a report: linked from the page, readable in both themes and on a phone, and nothing in it asks for more', needsBrowser, async (t) => {
  const view = { ...finishedRun('first', 1, 'a1'.repeat(32)), evaluation: evaluation(12, pictures), report: true }
  const [shown] = view.evaluation.predictions.filter(({ truth, predicted }) => truth !== predicted)
  const calibration = calibrationOf(Array.from({ length: 60 }, (_, i) => ({ label: 0, predicted: Number(i % 7 > 4), probability: 0.2 + i / 75 })))
  const details = { calibration, mistakes: { first: [shown], count: 9 }, doubts: { first: [{ ...shown, labelProbability: 0.04 }], count: 1 } }
  const source = new FedSource([view], false)
  source.page = await reportPage({ view, config: {}, isNoted: true, isSigned: false, details, measured: undefined }, (drawing) => Promise.resolve(svgOf(drawing)), new Date())
  const { page, complaints } = await open(t, source)
  const address = await page.getByRole('link', { name: /^Report/ }).evaluate((link) => (link as HTMLAnchorElement).href)
  assert.equal(await (await fetch(address)).text(), source.page)
  // Where it is served, no script runs at all, and nobody could look at it from here: as a file it can be looked at.
  const file = path.join(await temporaryFolder(t), 'report.html')
  await writeFile(file, source.page)
  for (const options of [{ width: 1280 }, { width: 390 }, { width: 1280, dark: true }]) {
    const opened = await openPage(browser, pathToFileURL(file).href, options)
    assert.equal(await opened.page.getByRole('img').count(), 4 + 12 + 2, 'drawings and images')
    assert.deepEqual([await barriers(opened.page), await overflow(opened.page), opened.complaints], [[], 0, []])
    await opened.page.close()
  }
  assert.deepEqual(complaints, [])
})

test('several runs: curves over each other, a table that compares them, one in detail', needsBrowser, async (t) => {
  const source = new FedSource([finishedRun('one-worker', 1, 'a1'.repeat(32)), finishedRun('three-workers', 1, 'a1'.repeat(32)), finishedRun('faster', 1.4, 'b7'.repeat(32))], false)
  const { page, complaints } = await open(t, source)
  await says(page.locator('.connection'), /^Saved runs$/)
  await page.getByRole('heading', { level: 1, name: 'Runs compared' }).waitFor()
  const rows = tableOf(page, 'Table of the runs').getByRole('row')
  await says(rows.nth(1), /one-worker Finished 12 67\.1 % 67\.1 % 0\.847 0\.643 121 34 min 30 s 3 64 1e-4 bf16 a1a1a1a1a1a1/)
  await says(rows.nth(3), /faster Finished/)
  await says(page.locator('.alike'), /one-worker and three-workers have the same weights, bit for bit\.$/)
  await says(chart(page, 'Loss').locator('.legend'), /one-worker, training 0\.643 one-worker, test 0\.847 three-workers, training 0\.643 three-workers, test 0\.847 faster, training/)
  // Runs are told apart by more than colour.
  const dashes = await chart(page, 'Images a second').locator('.swatch line').evaluateAll((lines) => lines.map((line) => line.getAttribute('stroke-dasharray')))
  assert.equal(new Set(dashes).size, 3)

  await page.getByRole('heading', { level: 2, name: 'one-worker' }).waitFor()
  await page.getByRole('radio', { name: 'Show the details of one-worker' }).focus()
  await page.keyboard.press('ArrowUp')
  await page.getByRole('heading', { level: 2, name: 'faster' }).waitFor()
  await says(section(page, 'How it ended'), new RegExp(`${'b7'.repeat(32)}.*3,850 computed, 3,840 counted, 8 again after a loss.*all workers compute alike`))
  assert.deepEqual(await barriers(page), [])
  assert.deepEqual(complaints, [])
})

test('runs whose epochs have different lengths are compared by epochs', needsBrowser, async (t) => {
  const short = finishedRun('large-batches', 1, 'c3'.repeat(32))
  const halved = { ...short, facts: { ...short.facts, stepsPerEpoch: STEPS_PER_EPOCH / 2 }, history: short.history.map((line) => ({ ...line, step: line.step / 2 })) }
  const { page } = await open(t, new FedSource([finishedRun('small-batches', 1, 'a1'.repeat(32)), halved], false))
  await eventually(() => chart(page, 'Loss').locator('.plot').getAttribute('aria-label'), (label) => label?.includes('at epoch 12:') === true)
})

test('below a path of a proxy, the page finds everything that it needs', needsBrowser, async (t) => {
  const source = new FedSource([runAfter(90)])
  const { port } = await serve(t, source)
  const server = http.createServer((request, response) => {
    request.pipe(http.request({ port, method: request.method, path: request.url?.replace(/^\/user\/trainer/, ''), headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    }))
  })
  server.on('upgrade', (request, socket) => {
    const target = net.connect(port, '127.0.0.1', () => {
      const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${String(value)}\r\n`).join('')
      target.write(`GET ${request.url?.replace(/^\/user\/trainer/, '')} HTTP/1.1\r\n${headers}\r\n`)
      target.pipe(socket).pipe(target)
    })
    for (const end of [socket, target]) end.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const { page, complaints } = await openPage(browser, `http://127.0.0.1:${(server.address() as net.AddressInfo).port}/user/trainer/`)
  t.after(() => page.close())
  await page.getByRole('heading', { level: 1, name: 'first' }).waitFor()
  await says(page.locator('.connection'), /^Live$/)
  takeStep(source, 91)
  await eventually(() => chart(page, 'Loss').locator('.plot').getAttribute('data-points'), (points) => points === '91')
  assert.deepEqual(complaints, [])
})

for (const dark of [false, true]) {
  test(`nobody is kept out: ${dark ? 'dark' : 'light'}, and on a phone`, needsBrowser, async (t) => {
    const run = runAfter(130, { name: 'a-name-so-long-that-it-does-not-fit-beside-anything-else-on-a-phone' })
    const source = new FedSource([{ ...run, evaluation: evaluation(3, pictures), members: [...run.members, member('worker-with-a-name-that-somebody-made-from-a-fully.qualified.domain.example.org-0042', 130)] }])
    const { page, complaints } = await open(t, source, { dark })
    await page.locator('.matrix').waitFor()
    await page.getByText('Epoch by epoch, as a table').click()
    await page.getByLabel('Choose a photograph').setInputFiles({ name: 'cat.webp', mimeType: 'image/webp', buffer: Buffer.from(pictures[5], 'base64') })
    await page.locator('.answer li').first().waitFor()
    assert.deepEqual(await barriers(page), [])
    for (const width of [360, 390, 820, 1280]) {
      await page.setViewportSize({ width, height: 740 })
      await eventually(() => page.locator('.plot').first().evaluate((plot) => (plot.querySelector('canvas')?.getBoundingClientRect().right ?? Infinity) - innerWidth), (beyond) => beyond <= 0)
      assert.equal(await overflow(page), 0, `${width} px wide`)
      assert.deepEqual(await barriers(page), [], `${width} px wide`)
    }
    assert.deepEqual(complaints, [])
  })
}
