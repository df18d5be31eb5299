import { readFile } from 'node:fs/promises'
import { messageOf, RunError } from './errors.ts'

export interface FollowedFile {
  /** What the file was last known to hold. */
  text: string
  /** Takes what the file holds now. @throws an error for people if that cannot be used; what was taken before stays in force */
  take: (text: string) => void
  /** Receives the reason why what the file holds, or its absence, changes nothing; once as long as nothing changes. */
  onTrouble: (reason: string) => void
  /** Milliseconds between two looks. */
  everyMs?: number | undefined
}

/** Files of secrets and names are small, so that reading them whole is the simplest way to see a change, on every file system and through every link. */
const EVERY_MS = 1000

/** What a look at the file has found: its text, or why it cannot be read. */
type Found = { text: string } | { reason: string }

/**
 * Reads a small text file again and again, and hands on what it holds when that has changed. A change counts once it has been seen twice, since a
 * file that is being written is empty for a moment. It keeps no process alive.
 * @returns a function that ends it
 */
export function followFile(file: string, { text, take, onTrouble, everyMs = EVERY_MS }: FollowedFile): () => void {
  let before: Found = { text }
  let settled: Found = before
  let reading = false
  const settle = (found: Found): void => {
    settled = found
    try {
      if ('reason' in found) throw new RunError(found.reason)
      take(found.text)
    } catch (error) {
      onTrouble(messageOf(error))
    }
  }
  const look = async (): Promise<void> => {
    if (reading) return
    reading = true
    const found = await readFile(file, 'utf8').then((now): Found => ({ text: now }), (error: unknown): Found => ({ reason: `${file} cannot be read: ${messageOf(error)}.` }))
    reading = false
    if (isSame(found, before) && !isSame(found, settled)) settle(found)
    before = found
  }
  const timer = setInterval(() => void look(), everyMs).unref()
  return () => clearInterval(timer)
}

function isSame(one: Found, other: Found): boolean {
  return 'text' in one ? 'text' in other && one.text === other.text : 'reason' in other && one.reason === other.reason
}
