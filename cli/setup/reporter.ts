import { SingleBar } from 'cli-progress'
import type { Log } from '../../shared/kit/log.ts'

/** An output for the messages of `herd setup`. */
export interface Reporter {
  /** Tells what is being done; silent with --quiet. */
  note(text: string): void
  /** Tells what a person has to know even with --quiet. */
  warn(text: string): void
  /** Starts to show the progress of a transfer of `totalBytes`. */
  transfer(label: string, totalBytes: number): Transfer
}

export interface Transfer {
  /** @param bytes transferred so far, in all */
  update(bytes: number): void
  /** Ends the display, whether the transfer is complete or not; called exactly once. */
  stop(): void
}

/**
 * Creates a reporter for people: notes go to `output`, warnings to `errors`. On a terminal a transfer is a progress bar; elsewhere it is one line.
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

/** Creates a reporter for machines, whose messages are records of the log. */
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
