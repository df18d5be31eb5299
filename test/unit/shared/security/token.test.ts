import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { inspect } from 'node:util'
import { writeAtomically } from '../../../../shared/kit/atomic_file.ts'
import { UsageError } from '../../../../shared/kit/errors.ts'
import { until } from '../../../support/until.ts'
import { takeToken, Token, TokenFile } from '../../../../shared/security/token.ts'

const SECRET = 'correct-horse-battery-staple'
let folder: string
before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'herd-token-'))
})
after(() => rm(folder, { recursive: true }))

test('a token admits its own header and no other', () => {
  const token = new Token(SECRET, 'HERD_TOKEN')
  assert.equal(token.holderOf(new Token(SECRET, 'HERD_TOKEN').header), token)
  for (const other of ['', SECRET, `${token.header}x`, token.header.slice(0, -1), token.header.toLowerCase(), 'Bearer ', 'x'.repeat(1_000_000)]) assert.equal(token.holderOf(other), undefined, other.slice(0, 40))
})

test('a token shows nowhere', () => {
  const token = new Token(SECRET, 'HERD_TOKEN')
  for (const shown of [String(token), JSON.stringify({ token }), inspect({ token }, { depth: 9, showHidden: true })]) assert.doesNotMatch(shown, /horse/)
})

test('HERD_TOKEN is taken out of the environment, so that nothing that is started later inherits it', async () => {
  const environment = { HERD_TOKEN: SECRET, HERD_CACHE: 'x' }
  assert.ok((await takeToken(environment, undefined))?.holderOf(`Bearer ${SECRET}`))
  assert.deepEqual(environment, { HERD_CACHE: 'x' })
  assert.equal(await takeToken({}, undefined), undefined)
  assert.equal(await takeToken({ HERD_TOKEN: '' }, undefined), undefined)
})

test('a file has the token, whatever white space is around it', async () => {
  const file = path.join(folder, 'token')
  await writeFile(file, `\n${SECRET}\r\n`)
  assert.ok((await takeToken({}, file))?.holderOf(`Bearer ${SECRET}`))
})

test('a file has several tokens, with the names of those who have them or without, and the first is presented', async () => {
  const file = path.join(folder, 'several')
  await writeFile(file, `# the coordinator's own\n${SECRET}\n\n gpu1\ttoken-of-the-first-gpu\r\ngpu1 new-token-of-the-first-gpu\ngpu2 token-of-the-second-gpu\n#\n`)
  const tokens = await TokenFile.read(file)
  assert.equal(tokens.header, `Bearer ${SECRET}`)
  const holders = [SECRET, 'token-of-the-first-gpu', 'new-token-of-the-first-gpu', 'token-of-the-second-gpu'].map((token) => tokens.holderOf(`Bearer ${token}`))
  assert.deepEqual(holders.map((holder) => holder && [holder.name]), [[undefined], ['gpu1'], ['gpu1'], ['gpu2']])
  for (const other of ['gpu1 token-of-the-first-gpu', 'token-of-the-third-gpu', '']) assert.equal(tokens.holderOf(`Bearer ${other}`), undefined)
  for (const shown of [JSON.stringify({ tokens }), inspect({ tokens }, { depth: 9, showHidden: true })]) assert.doesNotMatch(shown, /horse|first/)
  assert.deepEqual(tokens.handedOn, { environment: {}, arguments: ['--token-file', file] }, 'whom it is handed on to follows the file too')
})

test('tokens are taken anew when their file changes; a broken file changes nothing and is told of once', async (t) => {
  const file = path.join(folder, 'rotated')
  await writeFile(file, `gpu1 ${SECRET}`)
  const tokens = await TokenFile.read(file)
  const said: string[] = []
  t.after(tokens.follow({ info: (text: string) => said.push(`info ${text}`), warn: (text: string) => said.push(`warn ${text}`) } as never, 5))
  const becomes = async (text: string | undefined, count: number): Promise<string | undefined> => {
    // At once: a look every 5 ms could see twice that a file which is written in place is empty.
    await (text === undefined ? rm(file) : writeAtomically(file, [text]))
    await until(() => said.length === count)
    return said.at(-1)
  }
  assert.match(await becomes('gpu1 short', 1) ?? '', /^warn --token-file .*rotated: this is no token: .* The tokens that it had before stay in force\.$/)
  assert.ok(tokens.holderOf(`Bearer ${SECRET}`))
  assert.match(await becomes(`gpu1 the-new-token-of-gpu1\ngpu2 the-token-of-gpu2`, 2) ?? '', /^info --token-file .*rotated has changed, and is in force: 2 tokens\.$/)
  assert.equal(tokens.holderOf(`Bearer ${SECRET}`), undefined)
  assert.equal(tokens.header, 'Bearer the-new-token-of-gpu1')
  assert.match(await becomes(undefined, 3) ?? '', /^warn .*rotated cannot be read: ENOENT.* The tokens that it had before stay in force\.$/)
  assert.ok(tokens.holderOf('Bearer the-token-of-gpu2'))
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
    [{}, await written('empty', '# nothing\n'), /^--token-file .*empty has no token: expected 16/],
    [{}, await written('words', `gpu1 horse ${SECRET}`), /^--token-file .*words: expected a token, or a name and a token/],
    [{}, await written('second', `${SECRET}\n\ngpu1 horse`), /^--token-file .*second, line 3: this is no token/],
    [{}, await written('twice', `gpu1 ${SECRET}\ngpu2 ${SECRET}`), /^--token-file .*twice: gpu1 and gpu2 have the same token/],
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

async function written(name: string, text: string): Promise<string> {
  await writeFile(path.join(folder, name), text)
  return path.join(folder, name)
}
