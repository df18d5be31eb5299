import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'node:test'
import { librariesCanBeRead } from '../../../../shared/engine/native.ts'
import { temporaryFolder } from '../checkpoint/example.ts'

test("libraries that lie in the cache of another user, which this one cannot read, are none: auto computes with wasm then", async (context) => {
  const folder = await temporaryFolder(context)
  const [cache, links] = [path.join(folder, 'cache'), path.join(folder, 'lib')]
  await mkdir(cache)
  await mkdir(links)
  await writeFile(path.join(cache, 'libtensorflow_cc.so.2'), 'library')
  await symlink(path.join(cache, 'libtensorflow_cc.so.2'), path.join(links, 'libtensorflow.so'))
  assert.equal(librariesCanBeRead(links), true)
  // A link into a folder that may not be entered fails as one that leads nowhere does; the superuser, who may enter all, can only see the latter.
  await symlink(path.join(cache, 'libtensorflow_framework.so.2'), path.join(links, 'libtensorflow_framework.so.2'))
  assert.equal(librariesCanBeRead(links), false)
  assert.equal(librariesCanBeRead(path.join(folder, 'nowhere')), false)
})
