import type { CoordinatorMessage, Deal } from '../../shared/wire/messages.ts'
import type { RunEvent } from '../contract/events.ts'

/** Sends a worker its work, and reports that as events. @param takenOver true if it is taken over from a worker that is expected to be later */
export function sendDeal(worker: string, deal: Deal, takenOver: boolean, { send, observe }: { send: (worker: string, message: CoordinatorMessage) => void; observe: (event: RunEvent) => void }): void {
  const { kind, units, step, attempt } = deal
  if (takenOver) observe({ type: 'takenOver', worker, kind, step, units, attempt })
  else if (attempt > 0) observe({ type: 'dealtAgain', worker, kind, step, units, attempt })
  observe({ type: 'dealt', worker, kind, units })
  send(worker, { message: 'deal', deal })
}
