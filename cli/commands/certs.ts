import { rm, stat, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import path from 'node:path'
import type { Command } from 'commander'
import { makeFolders } from '../../shared/kit/folders.ts'
import { text, whole } from '../../shared/command/options.ts'
import { messageOf, RunError, UsageError } from '../../shared/kit/errors.ts'
import { commandOf } from '../command.ts'
import { print } from '../output.ts'

const HOST_NAME = /^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i

const options = {
  out: { ...text('<folder>', 'Where the files are written; none is overwritten.'), fallback: 'certs' },
  host: text('<names>', 'Names and IP addresses by which workers reach the coordinator, separated by commas; localhost is always among them.'),
  days: whole('<count>', 'How long the certificates are valid.', { min: 1, max: 3650 }, 365),
} as const

const purposes: Record<string, string> = {
  'ca.crt': 'the authority: for coordinator and workers, --tls-ca',
  'ca.key': 'its key: nobody needs it any more; delete it, or keep it offline',
  'coordinator.crt': 'for the coordinator alone, --tls-cert',
  'coordinator.key': 'for the coordinator alone, --tls-key; secret',
  'worker.crt': 'for every worker, --tls-cert',
  'worker.key': 'for every worker, --tls-key; secret',
}

/** `herd certs`: makes the keys and certificates for mutual TLS between a coordinator and its workers. */
export function certsCommand(): Command {
  return commandOf({
    name: 'certs',
    options,
    examples: ['herd certs --host 192.0.2.10', 'herd certs --out certs --host gpu1.example.org,192.0.2.10 --days 90'],
    async run({ out, host, days }) {
      const hosts = hostsOf(host)
      const folder = out ?? 'certs'
      // Loaded here, since no other command needs it.
      const { makeCertificates } = await import('../certs/certificates.ts')
      const made = await makeCertificates(hosts, days, new Date())
      await writeNew(folder, made.files)
      const day = (date: Date): string => date.toISOString().slice(0, 10)
      print(`${folder}: certificates of a coordinator at ${made.hosts.join(', ')}, valid until ${day(made.validTo)} (${days} days).`)
      for (const name of made.files.keys()) print(`  ${name.padEnd(15)}  ${purposes[name]}`)
      return true
    },
  })
}

function hostsOf(text: string | undefined): string[] {
  const hosts = (text ?? '').split(',').map((host) => host.trim()).filter((host) => host !== '')
  if (hosts.length === 0) throw new UsageError('--host is missing: expected the names or IP addresses by which workers reach the coordinator, e.g. --host 192.0.2.10.')
  const odd = hosts.find((host) => isIP(host) === 0 && !HOST_NAME.test(host))
  if (odd !== undefined) throw new UsageError(`--host ${odd}: expected a DNS name or an IP address, without a port.`)
  return hosts
}

/** Writes all files or none. Keys can be read by their owner only. @throws RunError if a file exists already or cannot be written. */
async function writeNew(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  for (const name of files.keys()) {
    const there = await stat(path.join(folder, name)).then(() => true, () => false)
    if (there) throw new RunError(`--out ${folder}: ${name} is there already, and is not overwritten; choose another folder, or remove it.`)
  }
  const written: string[] = []
  try {
    await makeFolders(folder)
    for (const [name, pem] of files) {
      const file = path.join(folder, name)
      await writeFile(file, pem, { flag: 'wx', mode: name.endsWith('.key') ? 0o600 : 0o644 })
      written.push(file)
    }
  } catch (error) {
    await Promise.all(written.map((file) => rm(file, { force: true })))
    throw new RunError(`--out ${folder}: ${messageOf(error)}`)
  }
}
