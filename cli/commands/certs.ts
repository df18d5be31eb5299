import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import path from 'node:path'
import type { Command } from 'commander'
import { makeFolders } from '../../shared/kit/folders.ts'
import { text, texts, whole } from '../../shared/command/options.ts'
import { messageOf, RunError, UsageError } from '../../shared/kit/errors.ts'
import { commandOf } from '../command.ts'
import { print } from '../output.ts'

const HOST_NAME = /^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i
/** Shape of a worker's name, which is also that of its files. */
const WORKER_NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/i

const options = {
  out: { ...text('<folder>', 'Where the files are written; none is overwritten.'), fallback: 'certs' },
  host: text('<names>', 'Names and IP addresses by which workers reach the coordinator, separated by commas; localhost is always among them.'),
  worker: texts('<name>', 'Make a certificate of its own for this worker, which is then known by that name; may be given several times. Without --host: of the authority that is in --out already.'),
  days: whole('<count>', 'How long the certificates are valid.', { min: 1, max: 3650 }, 365),
} as const

const purposes: Record<string, string> = {
  'ca.crt': 'the authority: for coordinator and workers, --tls-ca',
  'ca.key': 'its key: move it off this machine, or delete it; only more certificates need it, and whoever has it can make them',
  'coordinator.crt': 'for the coordinator alone, --tls-cert',
  'coordinator.key': 'for the coordinator alone, --tls-key; secret',
  'worker.crt': 'for every worker without one of its own, --tls-cert',
  'worker.key': 'for every worker without one of its own, --tls-key; secret',
}

/** `herd certs`: makes the keys and certificates for mutual TLS between a coordinator and its workers. */
export function certsCommand(): Command {
  return commandOf({
    name: 'certs',
    options,
    examples: ['herd certs --host 192.0.2.10', 'herd certs --out certs --host gpu1.example.org,192.0.2.10 --days 90', 'herd certs --worker gpu2 --worker gpu3'],
    async run({ out, host, worker, days }) {
      const workers = workersOf(worker ?? [])
      const folder = out ?? 'certs'
      // Loaded here, since no other command needs it.
      const { makeCertificates, makeWorkerCertificates } = await import('../certs/certificates.ts')
      const made = workers.length > 0 && host === undefined
        ? { ...(await makeWorkerCertificates(await authorityIn(folder), workers, days, new Date())), of: workers.join(', ') }
        : await makeCertificates(hostsOf(host), days, new Date(), workers).then((set) => ({ ...set, of: `a coordinator at ${set.hosts.join(', ')}` }))
      await writeNew(folder, made.files)
      const daysLeft = Math.round((made.validTo.getTime() - Date.now()) / 86_400_000)
      print(`${folder}: certificates of ${made.of}, valid until ${made.validTo.toISOString().slice(0, 10)} (${daysLeft} days).`)
      for (const name of made.files.keys()) print(`  ${name.padEnd(15)}  ${purposes[name] ?? purposeOfWorkers(name)}`)
      if (!made.files.has('ca.key')) print("ca.key has done its work: move it off this machine again, or delete it.")
      return true
    },
  })
}

function purposeOfWorkers(name: string): string {
  const { name: worker, ext } = path.parse(name)
  return `for the worker ${worker} alone, ${ext === '.key' ? '--tls-key; secret' : '--tls-cert'}`
}

function hostsOf(text: string | undefined): string[] {
  const hosts = (text ?? '').split(',').map((host) => host.trim()).filter((host) => host !== '')
  if (hosts.length === 0) throw new UsageError('--host is missing: expected the names or IP addresses by which workers reach the coordinator, e.g. --host 192.0.2.10.')
  const odd = hosts.find((host) => isIP(host) === 0 && !HOST_NAME.test(host))
  if (odd !== undefined) throw new UsageError(`--host ${odd}: expected a DNS name or an IP address, without a port.`)
  return hosts
}

function workersOf(names: readonly string[]): string[] {
  for (const name of names) {
    if (!WORKER_NAME.test(name)) throw new UsageError(`--worker ${name}: expected at most 63 letters, digits, dots, dashes and underscores, of which the first is a letter or a digit.`)
    if (['ca', 'coordinator', 'worker'].includes(name.toLowerCase())) throw new UsageError(`--worker ${name}: this is the name of other files of herd certs; choose another one.`)
  }
  return [...new Set(names)]
}

/** Reads the authority of a folder. @throws UsageError if it has none; RunError if its key is elsewhere */
async function authorityIn(folder: string): Promise<{ certificate: string; key: string }> {
  const read = (name: string): Promise<string | undefined> => readFile(path.join(folder, name), 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new RunError(`--out ${folder}: ${messageOf(error)}`, { cause: error })
  })
  const [certificate, key] = [await read('ca.crt'), await read('ca.key')]
  if (certificate === undefined) throw new UsageError(`--out ${folder} has no authority (ca.crt) that could make a certificate for a worker: give its folder, or --host as well, to make a new one.`)
  if (key === undefined) throw new RunError(`--out ${folder}: ca.key is not there, without which no certificate can be made. Bring it back for that moment, or make new ones of everything in another folder.`)
  return { certificate, key }
}

/** Writes all files or none. Keys can be read by their owner only. @throws RunError if a file exists already or cannot be written. */
async function writeNew(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  for (const name of files.keys()) {
    const there = await stat(path.join(folder, name)).then(() => true, () => false)
    if (there) throw new RunError(`--out ${folder}: ${name} is there already, and is not overwritten; choose another folder, or remove it.${name === 'ca.crt' ? ' To add a worker, leave --host out.' : ''}`)
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
