/** Control groups of both versions behind one interface: where they are, what to write, how to end them. */
export * from './control.ts'
export * from './freezer.ts'
export * from './layout.ts'
export * from './plan.ts'
export type * from './stat-file.ts'
export type * from './stats.ts'
export * from './stats-json.ts'
