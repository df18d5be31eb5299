import assert from 'node:assert/strict'
import { it } from 'node:test'
import { displayName } from '../../../../shared/data/class_names.ts'

it('displayName adds the English word to the Italian names of Animals-10, and leaves others alone', () => {
  const italian = ['cane', 'cavallo', 'elefante', 'farfalla', 'gallina', 'gatto', 'mucca', 'pecora', 'ragno', 'scoiattolo']
  assert.deepEqual(italian.map(displayName), [
    'cane (dog)', 'cavallo (horse)', 'elefante (elephant)', 'farfalla (butterfly)', 'gallina (chicken)',
    'gatto (cat)', 'mucca (cow)', 'pecora (sheep)', 'ragno (spider)', 'scoiattolo (squirrel)',
  ])
  assert.deepEqual(['dog', 'Cane', '', 'constructor'].map(displayName), ['dog', 'Cane', '', 'constructor'])
})
