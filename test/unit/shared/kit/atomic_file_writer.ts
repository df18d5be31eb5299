import { open, rename, rm } from 'node:fs/promises'
import { writeAtomically } from '../../../../shared/kit/atomic_file.ts'

/** A disk for writing the file named by the argument: when half of it is written, the process prints "half", and waits to be killed. */
const disk = {
  rename,
  rm,
  open: async (path: string, flags: 'w' | 'r') => {
    const handle = await open(path, flags)
    let written = 0
    return {
      writeFile: async (data: Uint8Array) => {
        await handle.writeFile(data)
        if (++written < 2) return
        process.stdout.write('half\n')
        await new Promise(() => setInterval(() => undefined, 1000))
      },
      sync: () => handle.sync(),
      close: () => handle.close(),
    }
  },
}
await writeAtomically(process.argv[2], [Buffer.from('new '), Buffer.from('and '), Buffer.from('whole')], { disk })
