/** Parses a JSON file that a person may have written: some editors put a mark of the byte order, which cannot be seen, at its beginning. @throws SyntaxError */
export function parseJsonFile(text: string): unknown {
  return JSON.parse(text.replace(/^\ufeff/, '')) as unknown
}
