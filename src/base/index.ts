/** What every layer stands on: errors, undo, time, log lines, whole-file writes, keyed work. No layer of ours below. */
export * from './atomic-file.ts'
export * from './cidr.ts'
export * from './cleanup.ts'
export * from './clock.ts'
export * from './errors.ts'
export * from './exclusive.ts'
export * from './log.ts'
export * from './work-queue.ts'
