import assert from 'node:assert/strict'
import path from 'node:path'
import test from 'node:test'
import { goOnCommand } from '../../../coordinator/go_on.ts'
import { coordinatorOptions, type CoordinatorOptions } from '../../../coordinator/options.ts'
import { ROOT } from '../../../shared/kit/project.ts'

const defaults = Object.fromEntries(Object.entries(coordinatorOptions).map(([key, { fallback }]) => [key, fallback])) as unknown as CoordinatorOptions

test('the command to go on with a run names everything that the checkpoint does not, as a shell takes it', () => {
  const options = { ...defaults, data: "my photographs/Anna's", out: 'runs/first', localWorkers: 2, tokenFile: 'a token', lr: 0.5, epochs: 3, quiet: true, allowMixedNumerics: false, cacheSize: 1e9 }
  const given = new Set(['data', 'out', 'localWorkers', 'tokenFile', 'lr', 'epochs', 'quiet', 'allowMixedNumerics', 'cacheSize', 'resume'])
  assert.equal(
    goOnCommand({ ...options, resume: 'auto' }, given, '/runs/first', ROOT),
    `npx coordinator --resume latest --out /runs/first --data '${path.join(ROOT, 'my photographs/Anna')}'\\''s' --local-workers 2 --token-file 'a token' --cache-size 1000000000B --quiet`,
  )
})

test('outside of the project it names the program itself', () => {
  assert.equal(goOnCommand({ ...defaults, data: 'images' }, new Set(), '/runs/first', '/somewhere'), `${process.execPath} ${ROOT}/bin/coordinator.mjs --resume latest --out /runs/first --data /somewhere/images`)
})
