import assert from 'node:assert/strict'
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import axe, { type AxeResults } from 'axe-core'
import { chromium, type Browser, type Locator, type Page } from 'playwright-core'
import sharp from 'sharp'
import { renderAnimal } from '../../cli/draw/raster.ts'

/** Flags that keep Chromium from looking for updates and the like on its own. */
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

function findChromium(): string | undefined {
  const candidates = [process.env['CHROMIUM'], ...(process.env['PATH'] ?? '').split(path.delimiter).flatMap((folder) => NAMES.map((name) => path.join(folder, name)))]
  return candidates.find((file) => {
    try {
      accessSync(file ?? '', constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

const executable = findChromium()

/** Options of a test that needs a browser: skipped without one, but not on continuous integration (CI=true), where `startBrowser` fails. */
export const needsBrowser = {
  skip: executable !== undefined || process.env['CI'] === 'true' ? false : 'there is no Chromium (.ci/install-chromium installs it on Debian and Ubuntu; elsewhere name it by CHROMIUM=/path)',
}

export async function startBrowser(): Promise<Browser> {
  assert.ok(executable !== undefined, 'there is no Chromium: .ci/install-chromium installs it on Debian and Ubuntu.')
  return chromium.launch({ executablePath: executable, args: FLAGS })
}

export interface Opened {
  page: Page
  /** Complaints of the browser: errors and warnings on its console, exceptions, requests to other hosts. */
  complaints: string[]
}

export interface ViewOptions {
  dark?: boolean
  width?: number
  height?: number
  /** Pattern of console messages that are no complaint: HTTP answers that are part of a test, which the console calls errors. */
  expected?: RegExp
}

/** Opens a page with cookies of its own. */
export async function openPage(browser: Browser, url: string, { dark = false, width = 1280, height = 900, expected }: ViewOptions = {}): Promise<Opened> {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: dark ? 'dark' : 'light', locale: 'en-GB', timezoneId: 'UTC', deviceScaleFactor: width < 600 ? 2 : 1 })
  const complaints: string[] = []
  page.on('console', (message) => {
    const text = `${message.text()} (${message.location().url})`
    if ((message.type() === 'error' || message.type() === 'warning') && expected?.test(text) !== true) complaints.push(text)
  })
  page.on('pageerror', (error) => complaints.push(error.stack ?? error.message))
  const { host } = new URL(url)
  page.on('request', (request) => {
    const asked = new URL(request.url())
    if (asked.host !== host && asked.protocol !== 'data:' && asked.protocol !== 'blob:') complaints.push(`asked another host: ${request.url()}`)
  })
  await page.goto(url)
  return { page, complaints }
}

/** Reads a value again and again until it holds. @throws Error with the last value if it does not within `timeoutMs` */
export async function eventually<T>(read: () => Promise<T>, holds: (value: T) => boolean, timeoutMs = 20_000, expected = String(holds)): Promise<T> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const value = await read()
    if (holds(value)) return value
    if (Date.now() > deadline) throw new Error(`expected within ${timeoutMs / 1000} s: ${expected}, but it is ${JSON.stringify(value)}`)
    await sleep(50)
  }
}

/** Waits until an element's text matches; every run of white space counts as one space. @returns the text */
export async function says(element: Locator, pattern: RegExp, timeoutMs?: number): Promise<string> {
  return eventually(async () => (await element.innerText()).replaceAll(/\s+/g, ' '), (text) => pattern.test(text), timeoutMs, String(pattern))
}

/** Serious barriers to accessibility that axe-core finds on a page. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const { violations } = await page.evaluate<AxeResults>('axe.run()')
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, help, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${help}: ${html.slice(0, 200)} ${failureSummary ?? ''}`))
}

/** Number of pixels by which the page is wider than the screen. */
export async function overflow(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth')
}

/** Small WebP pictures of drawn animals, in base64, one class after the other. */
export async function drawnPictures(count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, async (_, i) => (await sharp(await renderAnimal(1, i % 10, Math.floor(i / 10))).resize(128, 128).webp({ quality: 80 }).toBuffer()).toString('base64')))
}

/** Makes a folder that is removed when the process exits: its pictures are for a person who watches a test being written. */
function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'herd-screenshots-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Margin around the screenshot's elements, in pixels. */
const MARGIN = 14

let folder: string | undefined

/**
 * Takes a picture of the page, from the top of one element to the end of another, and asserts that it is not blank.
 * It goes to the folder that HERD_SCREENSHOTS names (docs/images, to renew those of the README), else to a temporary one.
 */
export async function screenshot(page: Page, name: string, first: string, last: string): Promise<void> {
  folder ??= process.env['HERD_SCREENSHOTS'] ?? temporaryFolder()
  mkdirSync(folder, { recursive: true })
  const { width } = page.viewportSize() ?? { width: 0 }
  const edge = (selector: string, side: 'top' | 'bottom'): Promise<number> => page.evaluate<number>(`document.querySelector('${selector}').getBoundingClientRect().${side} + scrollY`)
  const top = Math.max(0, (await edge(first, 'top')) - MARGIN)
  const bottom = (await edge(last, 'bottom')) + MARGIN
  const file = path.join(folder, `${name}.png`)
  const picture = await page.screenshot({ fullPage: true, clip: { x: 0, y: top, width, height: bottom - top }, animations: 'disabled' })
  // A picture that is kept is made small, which takes seconds.
  await sharp(picture).png(process.env['HERD_SCREENSHOTS'] === undefined ? { compressionLevel: 1 } : { palette: true, effort: 10 }).toFile(file)
  const { channels } = await sharp(picture).stats()
  assert.ok(channels[0].stdev > 5, `${file} is blank`)
}
