import { setText } from './dom.ts'

/** Says to a screen reader what the eye sees change elsewhere; the last thing wins. */
export function announcer(element: HTMLElement): (text: string) => void {
  return (text) => setText(element, text)
}
