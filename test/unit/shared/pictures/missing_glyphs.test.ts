import assert from 'node:assert/strict'
import { test } from 'node:test'
import { missingGlyphsNotice } from '../../../../shared/pictures/missing_glyphs.ts'
import { temporaryFolder } from '../checkpoint/example.ts'

test('names that no font has are told of, with what to do; names that can be read or recognised are not', async (context) => {
  // The machine's own fonts are left out, so that only the bundled one counts. Fontconfig reads this once in a process.
  Object.assign(process.env, { HERD_CACHE: await temporaryFolder(context), FONTCONFIG_FILE: '/dev/null/none' })
  assert.equal(await missingGlyphsNotice(['cane', 'Äpfel & Birnen', 'σκύλος', 'собака', 'կատու', 'كلب', 'כלב', 'no. 7 ™', '']), undefined)
  for (const name of ['猫', '犬と猫', '고양이', 'แมว', '🦓']) {
    const notice = await missingGlyphsNotice(['cane', name]) ?? ''
    assert.ok(notice.startsWith(`No font of this machine has the characters of class names such as ${name}: pictures show boxes in their place. Install a font`), notice)
  }
  assert.equal(await missingGlyphsNotice(['猫 כלב']), undefined, 'half of it can be read')
  assert.match(await missingGlyphsNotice(['猫', '犬', '鳥', '馬']) ?? '', /such as 猫, 犬, 鳥: /)
  assert.match(await missingGlyphsNotice(['猫\u0007'.repeat(30)]) ?? '', /such as (猫 ){9}猫?…: /)
})
