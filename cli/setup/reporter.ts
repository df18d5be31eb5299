import { SingleBar } from 'cli-progress'
import type { Log } from '../../shared/kit/log.ts'

/** Where `herd setup` tells what it does. */
export interface Reporter {
  /** What is done, for whoever watches; nothing with --quiet. */
  note(text: string): void
  /** What a person has to know even with --quiet. */
  warn(text: string): void
  /** Starts to show how far a transfer of `totalBytes` is. */
  transfer(label: string, totalBytes: number): Transfer
}

export interface Transfer {
  /** @param bytes how much is done in all */
  update(bytes: number): void
  /** Ends it, done or not; call it exactly once. */
  stop(): void
}

/**
 * Notes go to `output`, warnings to `errors`. On a terminal a transfer is a progress bar; elsewhere it is one plain line.
 */
export function createReporter(output: NodeJS.WriteStream, errors: NodeJS.WriteStream, quiet: boolean): Reporter {
  const note = (text: string): void => {
    if (!quiet) output.write(`${text}\n`)
  }
  return {
    note,
    warn: (text) => void errors.write(`${text}\n`),
    transfer(label, totalBytes) {
      if (quiet) return SILENT
      if (!output.isTTY) {
        note(`${label} (${megabytes(totalBytes)} MB)`)
        return SILENT
      }
      return progressBar(output, label, totalBytes)
    },
  }
}

/** For machines: records in the log. */
export function createLogReporter(log: Log): Reporter {
  return {
    note: (text) => log.info(text),
    warn: (text) => log.warn(text),
    transfer(label, totalBytes) {
      log.info({ bytes: totalBytes }, label)
      return SILENT
    },
  }
}

const SILENT: Transfer = { update: () => undefined, stop: () => undefined }

function progressBar(output: NodeJS.WriteStream, label: string, totalBytes: number): Transfer {
  const bar = new SingleBar({
    stream: output,
    format: '{label} {bar} {percentage}% of {total} MB',
    barsize: 30,
    barCompleteChar: '#',
    barIncompleteChar: '-',
    hideCursor: true,
  })
  bar.start(megabytes(totalBytes), 0, { label })
  return {
    update: (bytes) => bar.update(megabytes(Math.min(bytes, totalBytes))),
    stop: () => bar.stop(),
  }
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6)
}
