/** A screen on which a picture is drawn again and again; afterwards the terminal is as it was before. */
export interface Screen {
  /** Draws lines from the top, and cuts off the parts that do not fit. `inverse` is true for lines shown in inverse video. */
  draw(lines: readonly string[], inverse: (line: number) => boolean): void
  close(): void
}

const ENTER = '\u001b[?1049h\u001b[?25l'
const LEAVE = '\u001b[?25h\u001b[?1049l'
const HOME = '\u001b[H'
const REST_OF_LINE = '\u001b[K'
const REST_OF_SCREEN = '\u001b[J'
const INVERSE = '\u001b[7m'
const PLAIN = '\u001b[0m'
/** Keys that quit; Ctrl-C comes as a character, since keys are read one by one. */
const QUIT = ['q', 'Q', '\u0003', '\u0004']

/**
 * Takes over the terminal: another screen, and keys as they are pressed.
 * @param onQuit called for q, Ctrl-C and Ctrl-D
 */
export function openScreen(output: NodeJS.WriteStream, input: NodeJS.ReadStream, onQuit: () => void): Screen {
  let shown: [lines: readonly string[], inverse: (line: number) => boolean] = [[], () => false]
  const paint = (): void => {
    const [lines, inverse] = shown
    const text = lines.slice(0, output.rows).map((line, index) => {
      const cut = [...line].slice(0, output.columns).join('')
      return `${inverse(index) ? `${INVERSE}${cut.padEnd(output.columns)}${PLAIN}` : cut}${REST_OF_LINE}`
    })
    output.write(`${HOME}${text.join('\n')}${REST_OF_SCREEN}`)
  }
  const onKeys = (keys: Buffer): void => {
    if (QUIT.some((key) => keys.includes(key))) onQuit()
  }
  // The terminal is restored however the program ends.
  const leave = (): void => {
    if (input.isTTY) input.setRawMode(false)
    output.write(LEAVE)
  }
  process.once('exit', leave)
  output.on('resize', paint)
  if (input.isTTY) input.setRawMode(true)
  input.on('data', onKeys).resume()
  output.write(ENTER)
  return {
    draw(lines, inverse) {
      shown = [lines, inverse]
      paint()
    },
    close() {
      process.off('exit', leave)
      output.off('resize', paint)
      input.off('data', onKeys).pause()
      leave()
    },
  }
}
