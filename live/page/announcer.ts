import { setText } from './dom.ts'

/** Returns a function that tells a screen reader of a change elsewhere on the page; the last text wins. */
export function announcer(element: HTMLElement): (text: string) => void {
  return (text) => setText(element, text)
}
