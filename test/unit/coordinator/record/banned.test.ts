import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import type { Identity } from '../../../../coordinator/contract/member.ts'
import { Bans } from '../../../../coordinator/members/bans.ts'
import { BannedFile } from '../../../../coordinator/record/banned.ts'
import { RunFolder } from '../../../../shared/run_folder/run_folder.ts'
import { until } from '../../../support/until.ts'
import { createWorkspace, type Workspace } from '../../../support/workspace.ts'

let workspace: Workspace
before(async () => {
  workspace = await createWorkspace()
})
after(() => workspace.remove())

const clock = (): Date => new Date(0)
const certified: Identity = { identity: 'gpu1', identityBy: 'certificate' }
const chosen: Identity = { identity: 'gpu1', identityBy: 'name' }
const lie = { step: 12, reason: 'its sum of lane 3 was another than that of two others.' }

test('an identity that is put out stays out, with the reason; a chosen name is no proof against those who have one', () => {
  const bans = new Bans()
  assert.equal(bans.exclusionOf(certified), undefined)
  bans.ban(certified, lie)
  assert.equal(bans.exclusionOf(certified), 'gpu1 was put out of this run at step 12: its sum of lane 3 was another than that of two others.')
  assert.ok(bans.exclusionOf(chosen), 'nor does it come back by only saying its name')
  assert.equal(bans.exclusionOf({ ...certified, identity: 'gpu2' }), undefined)
  const others = new Bans()
  others.ban(chosen, lie)
  assert.ok(others.exclusionOf(chosen))
  assert.equal(others.exclusionOf(certified), undefined, 'a liar that calls itself gpu1 puts nobody else out')
})

test('it is out of the resumed run too, until the operator takes the entry away', async (t) => {
  const folder = await RunFolder.create(workspace.path('run'), clock)
  const said: string[] = []
  const log = { info: () => undefined, warn: (text: string) => said.push(text) } as never
  const first = await BannedFile.open(folder, log)
  first.bans.ban(certified, lie)
  first.bans.ban({ identity: 'gpu2', identityBy: 'token' }, lie)
  first.bans.ban(certified, { step: 13, reason: 'again' })
  await first.close()
  assert.deepEqual(JSON.parse(await readFile(folder.bannedFile, 'utf8')), [{ ...certified, ...lie }, { identity: 'gpu2', identityBy: 'token', ...lie }])

  const resumed = await BannedFile.open(folder, log, 5)
  t.after(() => resumed.close())
  const { bans } = resumed
  assert.ok(bans.exclusionOf(certified))
  await writeFile(folder.bannedFile, '[{"identity": "gpu2"')
  await until(() => said.length > 0)
  assert.match(said[0], /The list as it was before stays in force\.$/)
  await writeFile(folder.bannedFile, JSON.stringify([{ identity: 'gpu2', identityBy: 'token', ...lie }]))
  await until(() => bans.exclusionOf(certified) === undefined)
  assert.ok(bans.exclusionOf({ identity: 'gpu2', identityBy: 'token' }))
})

test('a folder without the file has nobody out; a file that is not as expected ends the start, and a disk that refuses lets nobody in', async () => {
  const folder = await RunFolder.create(workspace.path('other'), clock)
  const said: string[] = []
  const log = { info: () => undefined, warn: (text: string) => said.push(text) } as never
  assert.equal((await BannedFile.open(folder, log)).bans.exclusionOf(certified), undefined)
  await writeFile(folder.bannedFile, '[{"identity": "gpu1"}]')
  await assert.rejects(BannedFile.open(folder, log), /banned\.json is not as expected: 0\.identityBy/)
  await rm(folder.path, { recursive: true })
  const gone = await BannedFile.open(folder, log)
  gone.bans.ban(certified, lie)
  await gone.close()
  assert.ok(gone.bans.exclusionOf(certified))
  assert.match(said.join('\n'), /banned\.json cannot be written: ENOENT.* Who was put out of the run is kept in memory alone\./)
})
