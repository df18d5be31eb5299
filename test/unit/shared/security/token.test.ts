import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { inspect } from 'node:util'
import { UsageError } from '../../../../shared/kit/errors.ts'
import { takeToken, Token } from '../../../../shared/security/token.ts'

const SECRET = 'correct-horse-battery-staple'
let folder: string
before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'herd-token-'))
})
after(() => rm(folder, { recursive: true }))

test('a token admits its own header and no other', () => {
  const token = new Token(SECRET, 'HERD_TOKEN')
  assert.ok(token.admits(new Token(SECRET, 'HERD_TOKEN').header))
  for (const other of ['', SECRET, `${token.header}x`, token.header.slice(0, -1), token.header.toLowerCase(), 'Bearer ', 'x'.repeat(1_000_000)]) assert.ok(!token.admits(other), other.slice(0, 40))
})

test('a token shows nowhere', () => {
  const token = new Token(SECRET, 'HERD_TOKEN')
  for (const shown of [String(token), JSON.stringify({ token }), inspect({ token }, { depth: 9, showHidden: true })]) assert.doesNotMatch(shown, /horse/)
})

test('HERD_TOKEN is taken out of the environment, so that nothing that is started later inherits it', async () => {
  const environment = { HERD_TOKEN: SECRET, HERD_CACHE: 'x' }
  assert.ok((await takeToken(environment, undefined))?.admits(`Bearer ${SECRET}`))
  assert.deepEqual(environment, { HERD_CACHE: 'x' })
  assert.equal(await takeToken({}, undefined), undefined)
  assert.equal(await takeToken({ HERD_TOKEN: '' }, undefined), undefined)
})

test('a file has the token, whatever white space is around it', async () => {
  const file = path.join(folder, 'token')
  await writeFile(file, `\n${SECRET}\r\n`)
  assert.ok((await takeToken({}, file))?.admits(`Bearer ${SECRET}`))
})

test('what is no token is refused by the name of its source, and not repeated', async () => {
  const short = path.join(folder, 'short')
  await writeFile(short, 'horse')
  const wrong: [environment: Record<string, string>, file: string | undefined, message: RegExp][] = [
    [{ HERD_TOKEN: 'horse' }, undefined, /^HERD_TOKEN: this is no token: expected 16 to 1024 printable/],
    [{ HERD_TOKEN: 'horse with spaces in between' }, undefined, /^HERD_TOKEN: this is no token/],
    [{ HERD_TOKEN: 'horsé-with-an-accent-on-it' }, undefined, /^HERD_TOKEN: this is no token/],
    [{}, short, /^--token-file .*short: this is no token/],
    [{}, path.join(folder, 'absent'), /^--token-file .*absent cannot be read/],
    [{ HERD_TOKEN: SECRET }, short, /exclude each other/],
  ]
  for (const [environment, file, message] of wrong) {
    await assert.rejects(takeToken(environment, file), (error: unknown) => {
      assert.ok(error instanceof UsageError)
      assert.match(error.message, message)
      assert.doesNotMatch(error.message, /horse/)
      return true
    })
  }
})
