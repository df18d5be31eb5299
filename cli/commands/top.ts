import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { address, flag, real } from '../../shared/command/options.ts'
import { RunError } from '../../shared/kit/errors.ts'
import type { RunBrief } from '../../live/view.ts'
import { onStopSignal } from '../../shared/kit/stop_signals.ts'
import { accessOptions, clearTokenWarning, readAccess } from '../../shared/wire/client_access.ts'
import { commandOf, type Notices } from '../command.ts'
import { print, printJson } from '../output.ts'
import { lineOf, linesOf } from '../top/lines.ts'
import { openScreen } from '../top/screen.ts'
import { Speeds } from '../top/speeds.ts'
import { ConnectionLost, watchRun } from '../top/watch.ts'

const RECONNECT_MS = 1000

/** An output for the briefs of a run: JSON, lines of text, or a screen. */
interface Show {
  brief(brief: RunBrief): void
  /** Tells that the coordinator is gone; it may come back. */
  lost(reason: string): void
  close(): void
}

/** `herd top`: shows a run on the terminal until it has finished, or the user quits. */
export const topCommand = () =>
  commandOf({
    name: 'top',
    options: {
      coordinator: address('Where the coordinator listens.', '127.0.0.1:7070'),
      ...accessOptions,
      interval: real('<seconds>', 'How often it is brought up to date.', 'a number from 0.25 to 3600', z.number().min(0.25).max(3600), 1),
      once: flag('Print how the run is now, and end.'),
      json: flag('Print one JSON object each time, for machines.'),
    },
    examples: ['herd top', 'herd top --coordinator 192.0.2.10:7070 --token-file herd.token', 'herd top --once --json'],
    async run({ coordinator, interval, once, json, ...options }, notices) {
      const access = await readAccess(options, process.env, new Date())
      const warning = clearTokenWarning(access, coordinator)
      if (warning !== undefined) notices.log.warn(warning)
      const stop = new AbortController()
      const removeSignals = onStopSignal((signal, exitCode) => {
        // Ctrl-C is the usual way to end this command: exit code 0.
        if (signal === 'SIGTERM') process.exitCode = exitCode
        stop.abort()
      })
      const show = json ? asJson(notices) : once ? asPicture() : process.stdout.isTTY ? onScreen(coordinator, () => stop.abort()) : asLines(notices)
      try {
        await follow(coordinator, show, once, stop.signal, () => watchRun(coordinator, access, interval * 1000, stop.signal))
      } finally {
        removeSignals()
        show.close()
      }
      return true
    },
  })

/**
 * Shows each brief until the run has finished; waits for a coordinator that has gone away.
 * @throws RunError if the coordinator never answered, or refuses to be watched.
 */
async function follow(coordinator: string, show: Show, once: boolean, signal: AbortSignal, watch: () => AsyncGenerator<RunBrief>): Promise<void> {
  let last: RunBrief | undefined
  while (!signal.aborted) {
    try {
      for await (const brief of watch()) {
        last = brief
        show.brief(brief)
        if (once) return
      }
      if (signal.aborted || last?.state === 'finished') return
      show.lost('the coordinator has ended')
    } catch (error) {
      if (!(error instanceof RunError)) throw error
      if (last === undefined || !(error instanceof ConnectionLost)) throw new RunError(`the coordinator at ${coordinator} cannot be watched: ${error.message.replace(/\.$/, '')}.`, { cause: error })
      show.lost(error.message)
    }
    await sleep(RECONNECT_MS, undefined, { signal }).catch(() => undefined)
  }
}

/** Prints each brief as a line of JSON. */
function asJson({ log }: Notices): Show {
  return { ...onceEachTime(printJson, log.warn.bind(log)), close: () => undefined }
}

/** Prints each brief as a line of text. */
function asLines({ log }: Notices): Show {
  return { ...onceEachTime((brief) => print(lineOf(brief)), log.warn.bind(log)), close: () => undefined }
}

function asPicture(): Show {
  return { brief: (brief) => picture(brief, new Speeds()).forEach(print), lost: () => undefined, close: () => undefined }
}

/** Redraws a screen with each brief; the last picture is printed when the screen is closed. */
function onScreen(coordinator: string, onQuit: () => void): Show {
  const screen = openScreen(process.stdout, process.stdin, onQuit)
  const speeds = new Speeds()
  let lines: string[] = []
  const draw = (status: string): void => screen.draw([status, ...lines], (line) => line === 0)
  draw(`herd top  ${coordinator}  connecting`)
  return {
    brief(brief) {
      speeds.take(brief)
      lines = picture(brief, speeds)
      draw(`herd top  ${coordinator}  q quits`)
    },
    lost: (reason) => draw(`herd top  ${coordinator}  ${reason}; trying again. q quits`),
    close() {
      screen.close()
      lines.forEach(print)
    },
  }
}

function picture(brief: RunBrief, speeds: Speeds): string[] {
  return linesOf(brief, (member) => speeds.of(member), new Date())
}

/** Tells why the coordinator was lost once each time, since there is a new attempt, with a reason of its own, each second. */
function onceEachTime(show: (brief: RunBrief) => void, tell: (text: string) => void): Pick<Show, 'brief' | 'lost'> {
  let told = false
  return {
    brief: (brief) => {
      told = false
      show(brief)
    },
    lost: (reason) => {
      if (!told) tell(`${reason}; trying again.`)
      told = true
    },
  }
}
