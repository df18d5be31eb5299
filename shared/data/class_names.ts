/** Animals-10 as Kaggle ships it has Italian folder names. */
const ENGLISH: ReadonlyMap<string, string> = new Map([
  ['cane', 'dog'],
  ['cavallo', 'horse'],
  ['elefante', 'elephant'],
  ['farfalla', 'butterfly'],
  ['gallina', 'chicken'],
  ['gatto', 'cat'],
  ['mucca', 'cow'],
  ['pecora', 'sheep'],
  ['ragno', 'spider'],
  ['scoiattolo', 'squirrel'],
])

/** A class as people read it: "cane (dog)" for the Italian names of Animals-10, others as they are. */
export function displayName(className: string): string {
  const english = ENGLISH.get(className)
  return english === undefined ? className : `${className} (${english})`
}
