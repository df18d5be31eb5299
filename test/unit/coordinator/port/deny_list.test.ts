import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { DenyList } from '../../../../coordinator/port/deny_list.ts'
import { writeAtomically } from '../../../../shared/kit/atomic_file.ts'
import { UsageError } from '../../../../shared/kit/errors.ts'
import { until } from '../../../support/until.ts'
import { createWorkspace, type Workspace } from '../../../support/workspace.ts'

let workspace: Workspace
before(async () => {
  workspace = await createWorkspace()
})
after(() => workspace.remove())

async function written(name: string, text: string): Promise<string> {
  await writeFile(workspace.path(name), text)
  return workspace.path(name)
}

test('a list has a name a line, which may have blanks, and comments', async () => {
  const list = await DenyList.read(await written('list', '# those who left the lab\ngpu1   # stolen\r\n\n  GPU Server 2\nzürich#3\n'))
  for (const name of ['gpu1', 'GPU Server 2', 'zürich#3']) assert.equal(list.refusalOf(name), `${name} is in the list of those who may not take part (--deny).`)
  for (const name of ['gpu2', 'GPU1', 'stolen', '', '# those who left the lab']) assert.equal(list.refusalOf(name), undefined, name)
  assert.equal((await DenyList.read(await written('empty', ''))).refusalOf(''), undefined)
})

test('a list that cannot be used is named with its line', async () => {
  await assert.rejects(DenyList.read(workspace.path('absent')), (error) => error instanceof UsageError && /^--deny .*absent cannot be read: ENOENT/.test(error.message))
  await assert.rejects(DenyList.read(await written('odd', 'gpu1\n\u202egpu2\n')), (error) => error instanceof UsageError && /^--deny .*odd: line 2 is no name/.test(error.message))
})

test('it is taken anew when it changes, and stays as it was where it cannot be used', async (t) => {
  const file = await written('changing', 'gpu1\n')
  const list = await DenyList.read(file)
  const said: string[] = []
  t.after(list.follow({ info: (text: string) => said.push(text), warn: (text: string) => said.push(text) } as never, 5))
  // At once: a look every 5 ms could see twice that a file which is written in place is empty.
  await writeAtomically(file, ['gpu1\n\u202egpu2\n'])
  await until(() => said.length === 1)
  assert.match(said[0], /^--deny .*changing: line 2 is no name.* The list as it was before stays in force\.$/)
  assert.ok(list.refusalOf('gpu1'))
  await writeAtomically(file, ['gpu2\n'])
  await until(() => said.length === 2)
  assert.match(said[1], /^--deny .*changing has changed, and is in force: 1 name\.$/)
  assert.deepEqual([list.refusalOf('gpu1'), typeof list.refusalOf('gpu2')], [undefined, 'string'])
})
