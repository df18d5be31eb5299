import type { Command } from 'commander'
import { flag, text, whole } from '../../shared/command/options.ts'
import { UsageError } from '../../shared/kit/errors.ts'
import { pageUrl, serveLive } from '../../live/server.ts'
import { ShownFolders } from '../../live/shown_folders.ts'
import { checkViewers } from '../../live/page_access.ts'
import { RunFolder } from '../../shared/run_folder/run_folder.ts'
import { readTls } from '../../shared/security/tls.ts'
import { takeToken } from '../../shared/security/token.ts'
import { onStopSignal } from '../../shared/kit/stop_signals.ts'
import { commandOf } from '../command.ts'
import { print } from '../output.ts'

/** Most runs on one page: more curves could not be told apart. */
const MAX_RUNS = 16

/** `herd show`: serves the live page of saved runs, until it is stopped by a signal. */
export const showCommand = (): Command =>
  commandOf({
    name: 'show <folder...>',
    argument: "folders of runs; several runs' curves are compared",
    options: {
      httpPort: whole('<port>', 'Port of the page; 0 takes a free one.', { min: 0, max: 65535 }, 8080),
      httpHost: { ...text('<host>', 'Address of the page; beyond this machine, it asks for the token.'), fallback: '127.0.0.1' },
      tokenFile: text('<file>', 'File with the token that viewers must give; the environment variable HERD_TOKEN can have the token itself.'),
      tlsCert: text('<file>', 'Certificate of the page, PEM: it is served by HTTPS.'),
      tlsKey: text('<file>', 'The key of --tls-cert, PEM.'),
      insecure: flag('Serve the page beyond this machine without a token: whoever reaches the port can look.'),
    },
    examples: ['herd show runs/first', 'herd show runs/first runs/second --http-port 0', 'HERD_TOKEN=... herd show runs/* --http-host 0.0.0.0'],
    async run({ httpPort, httpHost: host = '127.0.0.1', tokenFile, insecure, ...certificate }, { log }, given) {
      const clock = (): Date => new Date()
      const token = await takeToken(process.env, tokenFile)
      const tls = await readTls({ ...certificate, tlsCa: undefined }, clock())
      const warning = checkViewers({ httpHost: host, token, tls, insecure })
      if (warning !== undefined) log.warn(warning)
      if (given.length > MAX_RUNS) throw new UsageError(`${given.length} folders: expected at most ${MAX_RUNS}.`)
      const folders = await Promise.all(given.map((folder) => RunFolder.open(folder, clock, "expected the folder of a run, e.g. runs/first: what its coordinator was given as --out.")))
      const shown = await ShownFolders.open(folders, clock)
      try {
        const page = await serveLive(shown, { host, port: httpPort, token, tls })
        print(`live page at ${pageUrl({ host, tls }, page.port)}`)
        // Ctrl-C is the usual way to end this command: no failure.
        await new Promise<void>((resolve) => onStopSignal(() => resolve()))
        await page.close()
      } finally {
        await shown.close()
      }
      return true
    },
  })
