import { asKeelsonError } from '../../base/index.ts'
import { type Check, type Finding, type Places, warning } from './check.ts'
import { type Host, thisMachine } from './host.ts'
import { kernelChecks } from './kernel-checks.ts'
import { nodeChecks } from './node-checks.ts'

export interface Checked extends Finding {
  name: string
}

/** What keelson needs of a machine, fact by fact. Nothing is changed, and root is not needed to look. */
export function checkMachine(places: Places, host: Host = thisMachine): Checked[] {
  return [...kernelChecks, ...nodeChecks].map((check) => ({
    name: check.name,
    ...lookSafely(check, host, places),
  }))
}

/** What cannot be looked at is no reason to say nothing of the rest. */
function lookSafely({ look }: Check, host: Host, places: Places): Finding {
  try {
    return look(host, places)
  } catch (error) {
    return warning(`cannot be told: ${asKeelsonError(error).message}`)
  }
}
