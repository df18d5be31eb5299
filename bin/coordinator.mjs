#!/usr/bin/env -S MALLOC_ARENA_MAX=2 node --initial-old-space-size=128
import { start } from './start.mjs'

await start('coordinator')
