#!/usr/bin/env -S MALLOC_ARENA_MAX=2 node --initial-old-space-size=128
import { register } from 'tsx/esm/api'

register()
const { main } = await import('../coordinator/reducers/main.ts')
const { runProgram } = await import('../shared/command/program.ts')
await runProgram(main, process.argv.slice(2))
