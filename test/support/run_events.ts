import assert from 'node:assert/strict'
import { watch } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Program } from './processes.ts'

export type Line = Record<string, unknown>

/** The complete lines of a file of a run, which may be in progress; empty if there is no file. */
export async function linesOf(out: string, file: 'events.jsonl' | 'history.jsonl'): Promise<Line[]> {
  const text = await readFile(path.join(out, file), 'utf8').catch(() => '')
  return text.split('\n').slice(0, -1).map((line) => JSON.parse(line) as Line)
}

/** Waits for an event of a run whose folder exists. @throws AssertionError with the coordinator's output if it ends before. */
export async function eventOf(out: string, coordinator: Program, matches: (event: Line) => boolean): Promise<Line> {
  const watcher = watch(out)
  try {
    for (;;) {
      // The promise is made before the file is read, so that no change in between is missed.
      const changed = new Promise<void>((resolve) => {
        watcher.once('change', () => resolve())
        void coordinator.ended.then(() => resolve())
      })
      const { exitCode } = coordinator.child
      const found = (await linesOf(out, 'events.jsonl')).find(matches)
      if (found !== undefined) return found
      assert.equal(exitCode, null, `it ended without this event:\n${coordinator.stdout}\n${coordinator.stderr}`)
      await changed
    }
  } finally {
    watcher.close()
  }
}
