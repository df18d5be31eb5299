import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { run } from '../support/processes.ts'
import { createWorkspace, type Workspace } from '../support/workspace.ts'

let workspace: Workspace
before(async () => {
  workspace = await createWorkspace()
})
after(() => workspace.remove())

test('herd certs makes an authority and certificates of coordinator and worker, with keys that only their owner can read', async () => {
  const out = workspace.path('certs')
  const ended = await run('herd', ['certs', '--out', out, '--host', 'gpu1.example.org, 192.0.2.10', '--days', '90'])
  assert.deepEqual({ code: ended.code, stderr: ended.stderr }, { code: 0, stderr: '' })
  const until = new Date(Date.now() + 90 * 24 * 3600 * 1000).toISOString().slice(0, 10)
  assert.match(ended.stdout, new RegExp(`gpu1\\.example\\.org, 192\\.0\\.2\\.10, localhost, 127\\.0\\.0\\.1, ::1, valid until ${until} \\(90 days\\)`))
  assert.deepEqual((await readdir(out)).sort(), ['ca.crt', 'ca.key', 'coordinator.crt', 'coordinator.key', 'worker.crt', 'worker.key'])

  const certificate = async (name: string): Promise<X509Certificate> => new X509Certificate(await readFile(workspace.path('certs', `${name}.crt`)))
  const authority = await certificate('ca')
  assert.ok(authority.ca)
  for (const name of ['ca', 'coordinator', 'worker']) {
    const one = await certificate(name)
    assert.ok(one.verify(authority.publicKey), name)
    assert.ok(one.checkPrivateKey(createPrivateKey(await readFile(workspace.path('certs', `${name}.key`)))), name)
    assert.equal((await stat(workspace.path('certs', `${name}.key`))).mode & 0o777, 0o600, name)
  }
  const coordinator = await certificate('coordinator')
  assert.ok(!coordinator.ca)
  for (const host of ['gpu1.example.org', 'localhost']) assert.equal(coordinator.checkHost(host), host)
  for (const ip of ['192.0.2.10', '127.0.0.1', '::1']) assert.equal(coordinator.checkIP(ip), ip)
  assert.equal(coordinator.checkHost('gpu2.example.org'), undefined)
  // The coordinator's certificate is for a server that may also be a client; the worker's for a client that cannot be taken for the coordinator.
  assert.deepEqual(coordinator.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
  assert.deepEqual((await certificate('worker')).keyUsage, ['1.3.6.1.5.5.7.3.2'])

  const before = await readFile(workspace.path('certs', 'ca.crt'), 'utf8')
  const again = await run('herd', ['certs', '--out', out, '--host', '192.0.2.10'])
  assert.equal(again.code, 1)
  assert.match(again.stderr, /^error: --out .*certs: ca\.crt is there already, and is not overwritten/)
  assert.equal(await readFile(workspace.path('certs', 'ca.crt'), 'utf8'), before)
})

test('herd certs makes certificates for single workers, at once or later, of the same authority', async () => {
  const out = workspace.path('named')
  const first = await run('herd', ['certs', '--out', out, '--host', '192.0.2.10', '--days', '90', '--worker', 'gpu1'])
  assert.equal(first.code, 0, first.stderr)
  assert.match(first.stdout, /ca\.key +its key: move it off this machine/)
  const later = await run('herd', ['certs', '--out', out, '--worker', 'gpu2', '--worker', 'gpu-3.example.org'])
  assert.equal(later.code, 0, later.stderr)
  assert.match(later.stdout, /certificates of gpu2, gpu-3\.example\.org, valid until .* \(90 days\)\.[^]*gpu2\.key +for the worker gpu2 alone, --tls-key; secret[^]*ca\.key has done its work/, 'no longer than the authority')
  const authority = new X509Certificate(await readFile(workspace.path('named', 'ca.crt')))
  for (const name of ['gpu1', 'gpu2', 'gpu-3.example.org']) {
    const certificate = new X509Certificate(await readFile(workspace.path('named', `${name}.crt`)))
    assert.equal(certificate.subject, `CN=${name}`)
    assert.ok(certificate.verify(authority.publicKey), name)
    assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2'], 'it cannot pass for a coordinator')
    assert.ok(certificate.checkPrivateKey(createPrivateKey(await readFile(workspace.path('named', `${name}.key`)))), name)
    assert.equal((await stat(workspace.path('named', `${name}.key`))).mode & 0o777, 0o600, name)
  }
  await rename(workspace.path('named', 'ca.key'), workspace.path('ca.key'))
  const wrong: [args: string[], code: number, message: RegExp][] = [
    [['--out', out, '--worker', 'gpu4'], 1, /^error: --out .*named: ca\.key is not there, without which no certificate can be made/],
    [['--out', workspace.path('none'), '--worker', 'gpu4'], 2, /^error: --out .*none has no authority \(ca\.crt\)/],
    [['--out', out, '--worker', '../gpu4'], 2, /^error: --worker \.\.\/gpu4: expected at most 63 letters/],
    [['--out', out, '--worker', 'Worker'], 2, /^error: --worker Worker: this is the name of other files/],
    [['--out', out, '--worker', 'gpu4', '--host', 'x'], 1, /^error: --out .*named: ca\.crt is there already.* To add a worker, leave --host out/],
  ]
  await Promise.all(wrong.map(async ([args, code, message]) => {
    const ended = await run('herd', ['certs', ...args])
    assert.deepEqual([ended.code, message.test(ended.stderr)], [code, true], ended.stderr)
  }))
  await writeFile(workspace.path('named', 'ca.key'), await readFile(workspace.path('named', 'gpu1.key')))
  const foreign = await run('herd', ['certs', '--out', out, '--worker', 'gpu4'])
  assert.match(foreign.stderr, /^error: ca\.crt and ca\.key are no authority that herd certs has made: they do not belong together/)
})

test('herd certs says what is wrong with its options, and writes nothing', async () => {
  const wrong: [args: string[], message: RegExp][] = [
    [[], /^error: --host is missing: expected the names or IP addresses/],
    [['--host', ' , '], /^error: --host is missing/],
    [['--host', '192.0.2.10:7070'], /^error: --host 192\.0\.2\.10:7070: expected a DNS name or an IP address, without a port/],
    [['--host', 'a b'], /^error: --host a b: expected a DNS name/],
    [['--host', 'x', '--days', '0'], /^error: --days 0: expected a whole number from 1 to 3650/],
  ]
  await Promise.all(
    wrong.map(async ([args, message]) => {
      const ended = await run('herd', ['certs', '--out', workspace.path('none'), ...args])
      assert.equal(ended.code, 2, ended.stderr)
      assert.match(ended.stderr, message)
    }),
  )
  await assert.rejects(stat(workspace.path('none')))
})
