import assert from 'node:assert/strict'
import test from 'node:test'
import { isLoopback, reachableHost } from '../../../../shared/security/loopback.ts'

test('only addresses that no other machine can reach count as loopback', () => {
  for (const host of ['127.0.0.1', '127.5.6.7', '::1', 'localhost']) assert.ok(isLoopback(host), host)
  for (const host of ['0.0.0.0', '::', '192.0.2.10', '10.0.0.1', '2001:db8::1', 'localhost.example.org', 'my-machine', '']) assert.ok(!isLoopback(host), host)
})

test('a server on all interfaces is reached by loopback from its own machine', () => {
  assert.equal(reachableHost('0.0.0.0'), '127.0.0.1')
  assert.equal(reachableHost('::'), '::1')
  assert.equal(reachableHost('192.0.2.10'), '192.0.2.10')
  assert.equal(reachableHost('2001:db8::1'), '2001:db8::1')
})
