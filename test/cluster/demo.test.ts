import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { test } from 'node:test'
import { run } from '../support/processes.ts'
import { createWorkspace, summaryOf } from '../support/workspace.ts'

test('herd demo draws animals, trains on them with two workers, and says where everything is', async (t) => {
  const workspace = await createWorkspace({ pictures: true })
  t.after(() => workspace.remove())
  const out = workspace.path('run')
  const ended = await run('herd', ['demo', '--data', workspace.path('drawn'), '--out', out, '--per-class', '20', '--epochs', '1'], { ...workspace.environment, HERD_TEST_FRACTION: '0.3' })
  assert.equal(ended.code, 0, ended.stdout + ended.stderr)
  for (const said of [/npx coordinator --data .* --local-workers 2/, /epoch 1\/1/, /curves .*loss\.png/, /predictions .*predictions\.png/, /checkpoint .*latest\.ckpt/, /npx herd predict --checkpoint/, /npx coordinator --data my-images/]) {
    assert.match(ended.stdout, said)
  }
  const summary = await summaryOf(out)
  assert.equal(summary.workers, 2)
  assert.ok((await readdir(workspace.path('drawn', 'raw-img'))).includes('cane'))

  const second = await run('herd', ['demo', '--data', workspace.path('drawn'), '--out', out, '--per-class', '20', '--epochs', '1'], workspace.environment)
  assert.equal(second.code, 2, 'a run is not overwritten')
})
