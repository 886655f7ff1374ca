import { setFlagsFromString } from 'node:v8'

/** Of bytecode that a function executes before V8 counts it; three counts, and it is compiled anew. V8's own is 66 KiB. */
const budgetBytes = 8 * 66 * 1024

/**
 * For a server that mostly waits: optimized code for each pod's path costs V8's compiler about as much as a hundred pods,
 * and a node seldom makes so many that it pays. What is really hot is still compiled, later.
 */
export function optimizeLater(): void {
  setFlagsFromString(`--interrupt-budget=${budgetBytes}`)
}
