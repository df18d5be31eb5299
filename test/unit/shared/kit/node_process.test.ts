import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { NODE_ENVIRONMENT, NODE_OPTIONS } from '../../../../shared/kit/node_process.ts'
import { ROOT } from '../../../../shared/kit/project.ts'

test('the first line of each program gives Node the same options and environment as child processes get', () => {
  for (const program of ['coordinator', 'worker', 'herd']) {
    const [first] = readFileSync(path.join(ROOT, 'bin', `${program}.mjs`), 'utf8').split('\n')
    const environment = Object.entries(NODE_ENVIRONMENT).map(([name, value]) => `${name}=${value}`)
    assert.equal(first, ['#!/usr/bin/env -S', ...environment, 'node', ...NODE_OPTIONS].join(' '))
  }
})
