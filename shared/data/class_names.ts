/** English names of the Italian folder names that Animals-10 has on Kaggle. */
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

/** Returns a class name for people: "cane (dog)" for the Italian names of Animals-10, any other name as it is. */
export function displayName(className: string): string {
  const english = ENGLISH.get(className)
  return english === undefined ? className : `${className} (${english})`
}
