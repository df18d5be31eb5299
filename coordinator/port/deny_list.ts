import { readFile } from 'node:fs/promises'
import { messageOf, UsageError } from '../../shared/kit/errors.ts'
import { followFile } from '../../shared/kit/follow_file.ts'
import type { Log } from '../../shared/kit/log.ts'
import { isIdentityName } from '../../shared/security/identity.ts'

/** The identities that may not take part, from the file of --deny: one a line, with comments behind #. */
export class DenyList {
  readonly #file: string
  #text: string
  #names: ReadonlySet<string>

  private constructor(file: string, text: string) {
    this.#file = file
    this.#text = text
    this.#names = namesOf(file, text)
  }

  /** @throws UsageError that names the file, and the line, if it cannot be used */
  static async read(file: string): Promise<DenyList> {
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      throw new UsageError(`--deny ${file} cannot be read: ${messageOf(error)}`)
    })
    return new DenyList(file, text)
  }

  /** Returns why an identity may not take part; undefined if it is not in the list. */
  refusalOf(identity: string): string | undefined {
    return this.#names.has(identity) ? `${identity} is in the list of those who may not take part (--deny).` : undefined
  }

  /** Takes the list anew when its file changes. Where the file cannot be used, the list before it stays. @returns a function that ends this */
  follow(log: Pick<Log, 'info' | 'warn'>, everyMs?: number): () => void {
    return followFile(this.#file, {
      text: this.#text, everyMs,
      take: (text) => {
        this.#names = namesOf(this.#file, text)
        this.#text = text
        log.info(`--deny ${this.#file} has changed, and is in force: ${this.#names.size} name${this.#names.size === 1 ? '' : 's'}.`)
      },
      onTrouble: (reason) => log.warn(`${reason} The list as it was before stays in force.`),
    })
  }
}

function namesOf(file: string, text: string): Set<string> {
  const names = new Set<string>()
  for (const [index, line] of text.replace(/^\uFEFF/, '').split('\n').entries()) {
    const name = line.trim().replace(/(^|\s)#.*$/, '').trim()
    if (name === '') continue
    if (!isIdentityName(name)) throw new UsageError(`--deny ${file}: line ${index + 1} is no name: expected printable characters, 200 at most.`)
    names.add(name)
  }
  return names
}
