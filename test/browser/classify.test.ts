import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { Token } from '../../shared/security/token.ts'
import { makeCheckpoint, makeImage } from '../cli/fixture.ts'
import { barriers, needsBrowser, openPage, overflow, says, startBrowser } from '../support/browser.ts'
import { createWorkspace, type Workspace } from '../support/workspace.ts'
import { ServedModel } from '../unit/cli/serve/served.ts'

/** Tests of the page of `herd serve` in a real browser, with a real network. */

const TOKEN = 'a-token-of-thirty-two-characters'

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

test('who gives the token has a photograph classified; what is none is told of', needsBrowser, async (t) => {
  assert.ok(browser !== undefined)
  const model = await ServedModel.open(await makeCheckpoint(workspace.path('random.ckpt')))
  t.after(() => model.compute.close())
  const { server } = await model.serve({ options: { token: new Token(TOKEN, 'test') } })
  t.after(() => server.end())
  const { page, complaints } = await openPage(browser, `http://127.0.0.1:${server.port}/`, { expected: /status of 40[01]/ })
  t.after(() => page.close())
  await page.getByLabel('Token').fill('not-the-token-of-this')
  await page.getByRole('button', { name: 'Log in' }).click()
  await says(page.getByRole('alert').first(), /^This is not the server's token/)
  await page.getByLabel('Token').fill(TOKEN)
  await page.getByRole('button', { name: 'Log in' }).click()
  const card = page.getByRole('region', { name: 'Ask about a photograph', exact: true })
  const photograph = await readFile(await makeImage(workspace.path('red.png'), '#e02010'))
  await page.getByLabel('Choose a photograph').setInputFiles({ name: 'red.png', mimeType: 'image/png', buffer: photograph })
  await says(card.getByRole('status'), /^\S+ \(\S+\), \d+\.\d %, say the weights of step 1 \(epoch 1\)\.$/)
  assert.equal(await card.getByRole('listitem').count(), 3)
  assert.deepEqual(await barriers(page), [])
  assert.equal(await overflow(page), 0)
  await page.getByLabel('Choose a photograph').setInputFiles({ name: 'notes.png', mimeType: 'image/png', buffer: Buffer.from('no picture') })
  await says(card.getByRole('alert'), /^The image cannot be decoded/)
  assert.deepEqual(complaints, [])
})
