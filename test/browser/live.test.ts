import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import type { Browser, Locator, Page } from 'playwright-core'
import { barriers, eventually, needsBrowser, openPage, says, screenshot, startBrowser } from '../support/browser.ts'
import { addressOf, Program } from '../support/processes.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

/** Tests that watch a real run of a coordinator and two workers in a real browser. */

const TINY = ['--model', 'tiny', '--image-size', '32', '--batch', '16', '--lanes', '4', '--lr', '0.003', '--test-fraction', '0.3']
/** Epochs after which pictures are taken, and epochs of the run: enough for good curves if pictures are kept; else few, of more than can be done. */
const [EPOCHS_SHOWN, EPOCHS, PER_CLASS] = process.env['HERD_SCREENSHOTS'] === undefined ? [2, 2000, 20] : [12, 60, 40]

let workspace: Workspace
let data: string
let browser: Browser
const started: Program[] = []

before(async () => {
  if (needsBrowser.skip !== false) return
  workspace = await createWorkspace({ pictures: true })
  data = await drawAnimals(workspace.path('drawn'), PER_CLASS)
  browser = await startBrowser()
})

after(async () => {
  await Promise.all(started.map((program) => program.stop()))
  await browser?.close()
  await workspace?.remove()
})

/** Starts a program. Workers, which would keep all processors busy, step back behind the browser. */
function start(name: 'coordinator' | 'worker' | 'herd', ...options: string[]): Program {
  const program = new Program(name, options, workspace.environment, name === 'worker' ? ['nice'] : [], { folder: workspace.folder })
  started.push(program)
  return program
}

function startCoordinator(run: string, ...options: string[]): Program {
  return start('coordinator', '--data', data, '--out', `runs/${run}`, '--listen', '127.0.0.1:0', '--http-port', '0', ...TINY, ...options)
}

async function pageOf(program: Program): Promise<string> {
  const [, url] = await program.said(/live page at (http:\S+)/)
  return url
}

const section = (page: Page, name: string): Locator => page.getByRole('region', { name, exact: true })
const workerRows = (page: Page): Locator => section(page, 'Table of the workers').locator('tbody').getByRole('row')
const stepsDrawn = async (page: Page): Promise<number> => Number(await page.locator('.chart .plot').first().getAttribute('data-points'))

test('a run is watched; a worker dies, and it shows; a photograph is dropped in', { ...needsBrowser, timeout: 300_000 }, async () => {
  // The run is stopped when enough has been seen.
  const coordinator = startCoordinator('animals', '--workers', '2', '--epochs', String(EPOCHS))
  const address = await addressOf(coordinator)
  const { page, complaints } = await openPage(browser, await pageOf(coordinator), { expected: /ERR_CONNECTION_REFUSED/ })
  await page.getByRole('heading', { level: 1, name: 'animals' }).waitFor()
  await says(page.locator('.badge'), /Waiting for workers/)
  await says(section(page, 'Workers'), /No worker is in/)

  const worker = start('worker', '--coordinator', address, '--data', data, '--name', 'rack-1')
  const victim = start('worker', '--coordinator', address, '--name', 'rack-2')
  await says(page.locator('.badge'), /Training|Evaluating/, 60_000)
  await eventually(() => workerRows(page).count(), (count) => count === 2)
  await says(workerRows(page).filter({ hasText: 'rack-1' }), /rack-1.*(computing|evaluating|idle)/)
  const before = await eventually(() => stepsDrawn(page), (points) => points > 10, 60_000)
  await eventually(() => stepsDrawn(page), (points) => points > before)
  await says(page.locator('.lanes .legend'), /rack-1.*rack-2|rack-2.*rack-1/)
  // The first evaluation brings the matrix and its pictures.
  await page.locator('.matrix').waitFor({ timeout: 60_000 })
  await eventually(() => page.locator('.predictions img').first().evaluate((image) => (image as HTMLImageElement).naturalWidth), (width) => width > 0)

  const folder = path.join(data, 'gatto')
  const [photograph] = await readdir(folder)
  await page.getByLabel('Choose a photograph').setInputFiles({ name: photograph, mimeType: 'image/jpeg', buffer: await readFile(path.join(folder, photograph)) })
  await says(section(page, 'Ask about a photograph').getByRole('status'), /^\S.* \(\S+\), \d+\.\d %, say the weights of step \d/, 60_000)
  assert.equal(await page.locator('.answer li').count(), 10)

  await takePictures(page, page.url())
  assert.deepEqual(await barriers(page), [])

  await victim.stop('SIGKILL')
  await says(workerRows(page).filter({ hasText: 'rack-2' }), /gone since \d\d:\d\d:\d\d/, 60_000)
  await says(section(page, 'Events'), /Warning ?Worker rack-2 is lost/)
  const alone = await stepsDrawn(page)
  await eventually(() => workerRows(page).filter({ hasText: 'rack-1' }).count(), (count) => count === 1)

  await coordinator.stop('SIGINT')
  await says(page.locator('.badge'), /Stopped/)
  await says(page.locator('.connection'), /^Disconnected since \d\d:\d\d:\d\d the run has ended, and its coordinator with it$/)
  assert.ok((await stepsDrawn(page)) >= alone)
  await worker.stop()
  assert.deepEqual(complaints, [])
  await page.close()
})

/** Takes the pictures of the README: the top of the page, the part below, and a phone. */
async function takePictures(page: Page, url: string): Promise<void> {
  await eventually(() => page.locator('.figures').innerText(), (text) => Number(/epoch (\d+)/.exec(text)?.[1]) >= EPOCHS_SHOWN, 150_000)
  await says(workerRows(page).first(), /computing/)
  await screenshot(page, 'live-light', 'header', '.card-curves')
  const views = [['live-dark', { dark: true }, '.card-workers', '.card-predictions'], ['live-phone', { width: 360, height: 780 }, 'header', '.chart']] as const
  for (const [name, options, first, last] of views) {
    const { page: other, complaints } = await openPage(browser, url, options)
    await other.locator('.predictions img').first().waitFor()
    await eventually(() => stepsDrawn(other), (points) => points > 0)
    await says(workerRows(other).first(), /computing.* [1-9][\d.,]* /)
    await screenshot(other, name, first, last)
    assert.deepEqual(complaints, [])
    await other.close()
  }
}

test('a run is watched from its start to its end, which herd show looks at below', { ...needsBrowser, timeout: 180_000 }, async () => {
  const coordinator = startCoordinator('two-workers', '--local-workers', '2', '--epochs', String(EPOCHS_SHOWN))
  const { page, complaints } = await openPage(browser, await pageOf(coordinator), { expected: /ERR_CONNECTION_REFUSED/ })
  await page.getByRole('heading', { level: 1, name: 'two-workers' }).waitFor({ timeout: 60_000 })
  await says(page.locator('.badge'), /Finished/, 90_000)
  const { digest, testAccuracy } = await summaryOf(workspace.path('runs', 'two-workers'))
  await says(section(page, 'How it ended'), new RegExp(`${digest}.*Test accuracy ${(testAccuracy * 100).toFixed(1)} %`))
  await says(page.locator('.figures'), new RegExp(`epoch ${EPOCHS_SHOWN}`))
  assert.equal((await coordinator.ended).code, 0)
  await says(page.locator('.connection'), /the run has ended/)
  assert.deepEqual(complaints, [])
  await page.close()
})

test('herd show: runs that have ended are compared', { ...needsBrowser, timeout: 240_000 }, async () => {
  for (const [name, ...options] of [['one-process'], ['other-rate', '--lr', '0.001']]) {
    const { code, stderr } = await startCoordinator(name, '--single-node', '--epochs', String(EPOCHS_SHOWN), ...options).ended
    assert.equal(code, 0, stderr)
  }
  const runs = ['one-process', 'two-workers', 'other-rate']
  const show = start('herd', 'show', ...runs.map((name) => `runs/${name}`), '--http-port', '0')
  const { page, complaints } = await openPage(browser, await pageOf(show))
  await says(page.locator('.connection'), /^Saved runs$/)
  const rows = section(page, 'Table of the runs').locator('tbody').getByRole('row')
  await eventually(() => rows.count(), (count) => count === runs.length)
  for (const [i, name] of runs.entries()) {
    const { digest, testAccuracy } = await summaryOf(workspace.path('runs', name))
    await says(rows.nth(i), new RegExp(`^Show the details of ?${name} Finished ${EPOCHS_SHOWN} ${(testAccuracy * 100).toFixed(1)} % .*${digest.slice(0, 12)}$`))
  }
  await says(page.locator('.alike'), /one-process and two-workers have the same weights, bit for bit\.$/)
  await says(page.locator('.chart .legend').first(), /one-process, test \d.*two-workers, test \d.*other-rate, test \d/)
  await page.locator('.matrix').waitFor()
  await screenshot(page, 'show', 'header', '.card-summary')
  const [photograph] = await readdir(path.join(data, 'gatto'))
  await page.getByRole('radio', { name: 'other-rate' }).check()
  await page.getByLabel('Choose a photograph').setInputFiles(path.join(data, 'gatto', photograph))
  await says(section(page, 'Ask about a photograph').getByRole('status'), /say the weights of step \d/, 60_000)
  assert.deepEqual(await barriers(page), [])
  assert.deepEqual(complaints, [])
  assert.equal((await show.stop('SIGINT')).code, 0)
  await page.close()
})
