import { deadlineMs, inSeconds, LONGEST_TICK_MS } from './deadlines.ts'

/** What a worker says of the sum of some lanes: digests of its parts, and whether it has a value that is not finite. */
export interface Opinion {
  digests: readonly string[]
  notFinite: boolean
}

/** A sum of lanes that is to be computed by another identity and compared. */
export interface CheckTask {
  id: number
  /** Identity of the worker that sent the sum. */
  suspect: string
  /** Name of that worker's arithmetic: only workers of the same compute the same bits. */
  arithmetic: string
  /** What it sent. */
  claim: Opinion
  /** Number of lanes under the node. */
  lanes: number
  /** True if the check waits for workers that could decide it; false if it is given up when there is none. */
  mustDecide: boolean
}

export type CheckEvent =
  | { type: 'joined'; worker: string; identity: string; arithmetic: string; now: number }
  | { type: 'lost'; worker: string; now: number }
  /** The worker is to get no more work. */
  | { type: 'draining'; worker: string; now: number }
  | { type: 'open'; task: CheckTask; now: number }
  /** A worker has answered; 'gone': it does not have the weights any more. */
  | { type: 'answered'; worker: string; id: number; opinion: Opinion | 'gone'; now: number }
  /** Time has passed. `atLanes`: workers that have lanes to compute, which come first. `laneMs` returns a worker's usual milliseconds for a lane. */
  | { type: 'tick'; atLanes: ReadonlySet<string>; laneMs: (worker: string) => number | undefined; now: number }

export type CheckAction =
  | { type: 'ask'; worker: string; id: number }
  /** The sum is what another identity has computed too. `exact`: to the last bit; otherwise it is not finite for all who were asked, with other bits. */
  | { type: 'confirmed'; id: number; exact: boolean }
  /** Two identities differ, so a third one is to decide. */
  | { type: 'disputed'; id: number; between: string[] }
  /** Two identities agree, and these others had said something else. */
  | { type: 'lied'; id: number; liars: string[]; truth: Opinion; witnesses: string[] }
  /** Nobody is there who could compute it. */
  | { type: 'missed'; id: number }
  /** Two identities differ, and nobody is there who could decide. */
  | { type: 'undecided'; id: number; between: string[] }
  /** The check must be decided, and waits for a worker of another identity to join. */
  | { type: 'waiting'; id: number }
  /** The worker is to be disconnected; a `lost` event follows. */
  | { type: 'evict'; worker: string; reason: string }

/** Number of identities that are believed when they have only in common that the sum is not finite: processors may differ in the bits of such values. */
const ENOUGH = 3

interface Checker {
  name: string
  identity: string
  arithmetic: string
  draining: boolean
  /** Check that it is computing. */
  task: number | undefined
  /** Time since which it could have computed it. */
  since: number
}

interface OpenCheck extends CheckTask {
  opinions: { identity: string; opinion: Opinion }[]
  /** Workers that do not have the weights. */
  without: Set<string>
  asked: string | undefined
  waiting: boolean
}

/**
 * Finds out who is right about sums of lanes: a state machine without I/O beside the dealers of lanes and of test blocks. A sum has one right value,
 * so two identities that agree are believed, and each check ends with the first such two: normally the one that sent it and one more. Who is asked is
 * drawn among all other identities, so nobody knows in advance. With fewer than two honest identities, nothing can be found out.
 */
export class CheckDealer {
  /** Returns a uniform number, 0 <= x < 1, that no worker can foresee. */
  readonly #random: () => number
  readonly #checkers = new Map<string, Checker>()
  readonly #open = new Map<number, OpenCheck>()
  #last: number | undefined

  constructor(random: () => number) {
    this.#random = random
  }

  /** Returns the number of the check that a worker has been asked for and has not answered; undefined if there is none. */
  taskOf(worker: string): number | undefined {
    return this.#checkers.get(worker)?.task
  }

  /** Handles an event. @returns the actions to carry out, in this order */
  step(event: CheckEvent): CheckAction[] {
    return [...this.#handle(event), ...this.#askOpen(event.now)]
  }

  #handle(event: CheckEvent): CheckAction[] {
    switch (event.type) {
      case 'joined': {
        const { worker: name, identity, arithmetic, now } = event
        this.#checkers.set(name, { name, identity, arithmetic, draining: false, task: undefined, since: now })
        return []
      }
      case 'lost':
        this.#release(event.worker)
        this.#checkers.delete(event.worker)
        return []
      case 'draining': {
        const checker = this.#checkers.get(event.worker)
        if (checker !== undefined) checker.draining = true
        return []
      }
      case 'open': {
        const { task } = event
        this.#open.set(task.id, { ...task, opinions: [{ identity: task.suspect, opinion: task.claim }], without: new Set(), asked: undefined, waiting: false })
        return []
      }
      case 'answered':
        return this.#answered(event)
      case 'tick':
        return this.#evictTheHung(event)
    }
  }

  /** Takes a worker's check from it. */
  #release(worker: string): OpenCheck | undefined {
    const checker = this.#checkers.get(worker)
    const check = this.#open.get(checker?.task ?? -1)
    if (checker !== undefined) checker.task = undefined
    if (check !== undefined) check.asked = undefined
    return check
  }

  #answered({ worker, id, opinion }: Extract<CheckEvent, { type: 'answered' }>): CheckAction[] {
    const checker = this.#checkers.get(worker)
    // An answer can come when the check has been decided by others.
    if (checker?.task !== id) return []
    const check = this.#release(worker)
    if (check === undefined) return []
    if (opinion === 'gone') {
      check.without.add(worker)
      return []
    }
    check.opinions.push({ identity: checker.identity, opinion })
    return this.#judge(check)
  }

  #judge(check: OpenCheck): CheckAction[] {
    const { id, opinions } = check
    const truth = opinions.find((one, index) => opinions.some((other, place) => place > index && agree(one.opinion, other.opinion)))
    if (truth === undefined && isNotFiniteForAll(check)) return opinions.length < ENOUGH ? [] : this.#confirm(id, false)
    if (truth === undefined) return opinions.length === 2 ? [{ type: 'disputed', id, between: opinions.map(({ identity }) => identity) }] : []
    const liars = opinions.filter(({ opinion }) => !agree(opinion, truth.opinion)).map(({ identity }) => identity)
    if (liars.length === 0) return this.#confirm(id, true)
    this.#open.delete(id)
    return [{ type: 'lied', id, liars, truth: truth.opinion, witnesses: opinions.flatMap(({ identity }) => (liars.includes(identity) ? [] : [identity])) }]
  }

  #confirm(id: number, exact: boolean): CheckAction[] {
    this.#open.delete(id)
    return [{ type: 'confirmed', id, exact }]
  }

  #askOpen(now: number): CheckAction[] {
    return [...this.#open.values()].flatMap((check) => (check.asked === undefined ? this.#ask(check, now) : []))
  }

  /** Asks a worker for one more opinion; without anybody who could give one, the check waits or is given up. */
  #ask(check: OpenCheck, now: number): CheckAction[] {
    const { id, opinions, without, arithmetic, mustDecide, waiting } = check
    const able = [...this.#checkers.values()].filter((checker) => !checker.draining && checker.arithmetic === arithmetic && !without.has(checker.name) && opinions.every(({ identity }) => identity !== checker.identity))
    const free = able.filter(({ task }) => task === undefined)
    if (free.length > 0) {
      const checker = free[Math.floor(this.#random() * free.length)]
      Object.assign(checker, { task: id, since: now })
      Object.assign(check, { asked: checker.name, waiting: false })
      return [{ type: 'ask', worker: checker.name, id }]
    }
    if (able.length > 0 || (mustDecide && waiting)) return []
    if (mustDecide) {
      check.waiting = true
      return [{ type: 'waiting', id }]
    }
    if (opinions.length > 1 && isNotFiniteForAll(check)) return this.#confirm(id, false)
    this.#open.delete(id)
    return [opinions.length === 1 ? { type: 'missed', id } : { type: 'undecided', id, between: opinions.map(({ identity }) => identity) }]
  }

  #evictTheHung({ atLanes, laneMs, now }: Extract<CheckEvent, { type: 'tick' }>): CheckAction[] {
    const gapMs = now - (this.#last ?? now)
    this.#last = now
    return [...this.#checkers.values()].flatMap((checker): CheckAction[] => {
      const lanes = this.#open.get(checker.task ?? -1)?.lanes ?? 0
      if (gapMs > LONGEST_TICK_MS) checker.since += gapMs
      // The dealer of lanes watches the workers that have lanes.
      if (atLanes.has(checker.name) || lanes === 0) checker.since = now
      const stuckMs = now - checker.since
      const usualMs = laneMs(checker.name)
      if (stuckMs <= deadlineMs(usualMs === undefined ? undefined : usualMs * lanes)) return []
      checker.since = now
      return [{ type: 'evict', worker: checker.name, reason: `it has not answered a check of ${lanes} lanes for ${inSeconds(stuckMs)}` }]
    })
  }
}

/** True if two opinions are of the same sum, to the last bit; without digests, if both or none of them are not finite. */
function agree(one: Opinion, other: Opinion): boolean {
  if (one.digests.length === 0) return one.notFinite === other.notFinite
  return one.digests.length === other.digests.length && one.digests.every((digest, index) => digest === other.digests[index])
}

function isNotFiniteForAll({ opinions }: OpenCheck): boolean {
  return opinions.every(({ opinion }) => opinion.notFinite)
}
