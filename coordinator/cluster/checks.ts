import { createHmac } from 'node:crypto'
import { deferred, type Deferred } from '../../shared/kit/async.ts'
import { ProtocolError } from '../../shared/kit/errors.ts'
import type { LaneTree } from '../../shared/lanes/lane_tree.ts'
import { depositKey, roundKey } from '../../shared/lanes/partial_digest.ts'
import type { StepPosition } from '../../shared/lanes/sample_schedule.ts'
import type { Checked, CoordinatorMessage } from '../../shared/wire/messages.ts'
import type { RunEvent } from '../contract/events.ts'
import { WrongStepError } from '../contract/interruptions.ts'
import { identityKey, identityOf, type Identity, type Member } from '../contract/member.ts'
import { CheckDealer, type CheckAction, type CheckEvent } from '../dealing/check_dealer.ts'
import type { Deposit, WholePartial } from '../exchange/range_reducer.ts'
import { arithmeticOf, laneNames, opinionOf, SentSums, shownOpinion, type SentSum } from './sent_sums.ts'
import { Suspicions } from './suspicions.ts'

/** How much of what workers send is computed a second time, by others. */
export interface Vigilance {
  /** Share of the partials, from 0 to 1. With 1, each is checked before its step is taken. */
  share: number
  /** Number of the first steps that are checked as with a share of 1, after something went wrong in them. */
  attentiveUntil: number
  /** Secret of this process, from which follows what is checked; 32 hexadecimal digits. */
  secret: string
  /** Returns a uniform number, 0 <= x < 1, that no worker can foresee. */
  random: () => number
}

export interface ChecksParts extends Vigilance {
  tree: LaneTree
  /** Milliseconds on a monotonic clock. */
  now: () => number
  observe: (event: RunEvent) => void
  /** Sends a message to a present worker. */
  send: (worker: string, message: CoordinatorMessage) => void
  evict: (worker: string, reason: string) => void
  /** Called when a worker begins (or, with 0 lanes, ends) a check. */
  onChecking: (worker: string, lanes: number) => void
  /** Puts out whoever comes with an identity, for the rest of the run. */
  putOut: (who: Identity, why: { step: number; reason: string }) => void
  /** Makes the run go back, since its weights may be wrong. */
  fail: (error: WrongStepError) => void
}

interface OpenCheck {
  sum: SentSum
  at: StepPosition
  round: number
  key: string
  decided: Deferred<void>
}

/**
 * Checks of what workers send: carries out the decisions of the dealer of checks. A lane has one right answer, so a check is an equality, and who is
 * found wrong is out. A lie that was counted makes the run go back to its last checkpoint, which is never saved before all checks of its steps are
 * decided.
 */
export class Checks {
  readonly #parts: ChecksParts
  readonly #dealer: CheckDealer
  readonly #suspicions = new Suspicions()
  readonly #open = new Map<number, OpenCheck>()
  /** Keys of identities that are out: of what else they have said, nobody is told. */
  readonly #out = new Set<string>()
  #round: SentSums | undefined
  readonly #disputes = new Set<number>()
  #failure: WrongStepError | undefined
  #checks = 0
  /** True once it has been told that checks wait, until one is asked for again. */
  #toldWaiting = false

  constructor(parts: ChecksParts) {
    this.#parts = parts
    this.#dealer = new CheckDealer(parts.random)
  }

  /** Opens a step. @returns the key for digests of what is sent in it; empty if none are needed */
  begin(at: StepPosition, round: number): string {
    const { share, secret } = this.#parts
    const key = share > 0 || this.#isAttentive(at) ? roundKey(secret, round) : ''
    this.#round = new SentSums(at, round, key, this.#parts.tree)
    return key
  }

  /** Settles when the disputes that are open are decided: no further step is begun before. Undefined if there are none. */
  get disputes(): Promise<unknown> | undefined {
    return this.#disputes.size === 0 ? undefined : Promise.all([...this.#disputes].flatMap((id) => this.#open.get(id)?.decided.promise ?? []))
  }

  join(member: Member): void {
    this.#step({ type: 'joined', worker: member.name, identity: identityKey(member), arithmetic: arithmeticOf(member), now: this.#parts.now() })
  }

  lose(member: Member): void {
    this.#suspicions.forget(identityKey(member))
    this.#step({ type: 'lost', worker: member.name, now: this.#parts.now() })
  }

  drain(worker: string): void {
    this.#step({ type: 'draining', worker, now: this.#parts.now() })
  }

  tick(atLanes: ReadonlySet<string>, laneMs: (worker: string) => number | undefined): void {
    this.#step({ type: 'tick', atLanes, laneMs, now: this.#parts.now() })
  }

  dealt({ id }: Member, lanes: readonly number[]): void {
    this.#round?.dealt(id, lanes, this.#parts.now())
  }

  /** Takes the digest of a part of what a member sent. */
  deposit(member: Member, deposit: Deposit): void {
    if (deposit.round === this.#round?.round) this.#round.deposit(member, deposit)
  }

  /** Takes the news that all of a member's partial has come, and begins its check if it is chosen. */
  whole(member: Member, partial: WholePartial): void {
    const open = this.#round
    if (open?.round !== partial.round) return
    const sum = open.whole(member, partial)
    if (this.#suspicions.tooSoon(identityKey(member), sum.lanes.length, this.#parts.now() - open.dealtAt(sum))) open.hasty.add(identityKey(member))
    if (this.#isChosen(open, sum)) this.#check(open, sum)
  }

  /** Takes a worker's answer. @throws ProtocolError if it does not fit what was asked */
  answered(worker: string, { id, key, digests, notFinite, gone }: Checked): void {
    if (id >= this.#checks) throw new ProtocolError(`an answer to check ${id}, which nobody has asked for`)
    const open = this.#open.get(id)
    if (open !== undefined && key !== open.key) throw new ProtocolError(`an answer to another check than number ${id}`)
    const expected = open?.sum.parts.length ?? digests.length
    if (!gone && digests.length !== expected) throw new ProtocolError(`${digests.length} digests in answer to check ${id}, which asked for ${expected}`)
    // What was not asked for, or comes once more, is no progress: else a worker that holds lanes could repeat it for ever.
    if (this.#dealer.taskOf(worker) === id) this.#parts.onChecking(worker, 0)
    this.#step({ type: 'answered', worker, id, opinion: gone ? 'gone' : { digests, notFinite }, now: this.#parts.now() })
  }

  /**
   * Decides whether a step may be taken, when all of its partials are in: waits for its checks if there is a reason to, and begins more.
   * @throws WrongStepError if the gradient is not finite, and nobody's lanes are the reason
   */
  async decide({ notFinite, gradientNorm }: { notFinite: string | undefined; gradientNorm: number }): Promise<void> {
    const open = this.#round
    if (open === undefined) return
    for (const sum of open.all) if (!sum.whole && this.#isChosen(open, sum)) this.#check(open, sum)
    const jumps = notFinite === undefined && this.#suspicions.normJumps(gradientNorm)
    const isInQuestion = notFinite !== undefined || (open.key !== '' && (jumps || open.hasty.size > 0))
    if (isInQuestion) await this.#checkAll(open)
    else if (this.#checksAll(open.at)) await this.#decided(open.round)
    for (const identity of open.hasty) this.#suspicions.clear(identity)
    if (notFinite === undefined) await this.#requireNoneDiverged(open)
    else this.#requireDiverged(open)
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Notes that the step is taken. */
  settled(): void {
    this.#round = undefined
  }

  /**
   * Waits until the checks of all steps that have been taken are decided.
   * @throws WrongStepError if one of these steps is wrong
   */
  async confirmed(): Promise<void> {
    await Promise.all([...this.#open.values()].flatMap(({ round, decided }) => (round === this.#round?.round ? [] : [decided.promise])))
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Checks all that was sent in a step, and waits for it. @throws WrongStepError if the step is wrong */
  async #checkAll(open: SentSums): Promise<void> {
    for (const sum of open.all) if (sum.check === undefined) this.#check(open, sum)
    await this.#decided(open.round)
  }

  /** Waits until no check of a round is open; more can begin meanwhile, of results that came late. */
  async #decided(round: number): Promise<void> {
    for (;;) {
      const open = [...this.#open.values()].filter((check) => check.round === round)
      if (open.length === 0) break
      await Promise.all(open.map(({ decided }) => decided.promise))
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  /**
   * Finds out whether a sum that is not finite is the run's, and nobody's lie. Where digests were compared, it is; where only the reports of lanes were,
   * somebody may have sent other bytes than it reports.
   */
  #requireDiverged({ at, key, diverged, missed }: SentSums): void {
    if (key !== '' || diverged.length > 0 || missed) return
    this.#goBack(new WrongStepError(`the sum of step ${at.step + 1} is not finite, though each lane is where it was computed again: somebody has sent something else.`, { attentiveUntil: at.step + 1, someoneIsOut: false }))
  }

  /**
   * Finds who has sent something else than it has reported, where the sum of a step is finite though a part of it is not: if nobody else has changed
   * that part, it is a sender whose bits are not those that another worker has.
   */
  async #requireNoneDiverged(open: SentSums): Promise<void> {
    const inexact = open.diverged.filter(({ exact }) => !exact)
    if (inexact.length === 0) return
    await this.#checkAll(open)
    for (const { sum } of inexact) this.#accuse(identityKey(sum.member), open.at.step, sum, { said: 'not finite, and sent what is', truth: 'not finite', witnesses: ['another worker'] })
  }

  #isAttentive({ step }: StepPosition): boolean {
    return step < this.#parts.attentiveUntil
  }

  #checksAll(at: StepPosition): boolean {
    return this.#parts.share >= 1 || this.#isAttentive(at)
  }

  /** Draws whether a sum is checked, from the secret: nobody else can know it before or after. */
  #isChosen({ at, round, key }: SentSums, { member, node, check }: SentSum): boolean {
    if (key === '' || check !== undefined) return false
    if (this.#checksAll(at)) return true
    const drawn = createHmac('sha256', this.#parts.secret).update(`check ${round} ${node} ${member.id}`).digest().readUInt32BE() / 2 ** 32
    return drawn < this.#parts.share
  }

  #check({ at, round, key }: SentSums, sum: SentSum): void {
    const { member, node, lanes } = sum
    const id = this.#checks++
    sum.check = id
    this.#open.set(id, { sum, at, round, key: depositKey(key === '' ? roundKey(this.#parts.secret, round) : key, { session: member.id, node }), decided: deferred() })
    const task = { id, suspect: identityKey(member), arithmetic: arithmeticOf(member), claim: opinionOf(sum), lanes: lanes.length, mustDecide: this.#checksAll(at) }
    this.#step({ type: 'open', task, now: this.#parts.now() })
  }

  #step(event: CheckEvent): void {
    for (const action of this.#dealer.step(event)) this.#act(action)
  }

  #act(action: CheckAction): void {
    if (action.type === 'evict') return this.#parts.evict(action.worker, action.reason)
    const open = this.#open.get(action.id)
    if (open === undefined) return
    const { at: { step }, sum } = open
    const of = { step, lanes: sum.lanes }
    switch (action.type) {
      case 'ask':
        return this.#ask(action.worker, action.id, open)
      case 'disputed':
        this.#disputes.add(action.id)
        return this.#parts.observe({ type: 'disputed', ...of, between: namesOf(action.between) })
      case 'waiting':
        if (!this.#toldWaiting) this.#parts.observe({ type: 'checkWaiting', ...of, worker: sum.member.name })
        this.#toldWaiting = true
        return
      case 'confirmed':
        if (sum.notFinite && this.#round?.round === open.round) this.#round.diverged.push({ sum, exact: action.exact })
        break
      case 'missed':
        if (this.#round?.round === open.round) this.#round.missed = true
        break
      case 'undecided':
        this.#goBack(new WrongStepError(`${namesOf(action.between).join(' and ')} do not agree on ${laneNames(of.lanes)} of step ${step + 1}, and nobody is there to decide.`, { attentiveUntil: step + 1, someoneIsOut: false }))
        break
      case 'lied':
        this.#expose(action, open)
        break
    }
    this.#parts.observe({ type: 'checked', ...of, worker: sum.member.name, result: action.type })
    this.#close(action.id, open)
  }

  #ask(worker: string, id: number, { at: { step, epoch, stepInEpoch }, key, sum: { node, lanes, parts } }: OpenCheck): void {
    this.#toldWaiting = false
    this.#parts.onChecking(worker, lanes.length)
    this.#parts.send(worker, { message: 'check', check: { id, step, epoch, stepInEpoch, node, key, parts: parts.map(({ begin, floats }) => ({ begin, floats })) } })
  }

  #expose({ liars, truth, witnesses }: Extract<CheckAction, { type: 'lied' }>, { at: { step }, sum }: OpenCheck): void {
    for (const identity of liars) {
      const said = identity === identityKey(sum.member) ? shownOpinion(opinionOf(sum)) : 'something else'
      this.#accuse(identity, step, sum, { said, truth: shownOpinion(truth), witnesses: namesOf(witnesses) })
    }
  }

  /** Puts out an identity that has said something wrong of a sum; the run goes back if it has sent the sum. */
  #accuse(key: string, step: number, { member, lanes }: SentSum, { said, truth, witnesses }: { said: string; truth: string; witnesses: string[] }): void {
    const { observe, putOut } = this.#parts
    const who = identityOf(key)
    const { identity } = who
    const isSender = key === identityKey(member)
    if (!this.#out.has(key)) observe({ type: 'workerLied', identity, step, lanes, digest: said, truth, witnesses, counted: isSender })
    this.#out.add(key)
    putOut(who, { step, reason: `it ${isSender ? 'sent' : 'answered'} ${said} for ${laneNames(lanes)}, where ${witnesses.join(' and ')} have ${truth}` })
    if (isSender) this.#goBack(new WrongStepError(`step ${step + 1} is wrong: ${identity} lied about ${laneNames(lanes)}.`, { attentiveUntil: 0, someoneIsOut: true }))
  }

  /** Makes the run go back, and tells everybody who waits for a check. */
  #goBack(error: WrongStepError): void {
    this.#failure ??= error
    for (const [id, open] of this.#open) this.#close(id, open)
    this.#parts.fail(this.#failure)
  }

  #close(id: number, { decided }: OpenCheck): void {
    this.#open.delete(id)
    this.#disputes.delete(id)
    decided.resolve()
  }
}

function namesOf(keys: readonly string[]): string[] {
  return keys.map((key) => identityOf(key).identity)
}
