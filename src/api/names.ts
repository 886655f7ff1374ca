/** The rules for names, labels and annotations (RFC 1123, RFC 1035 and the API's own). */
import { randomInt } from 'node:crypto'

export type NameRule = 'dns-1123-label' | 'dns-1123-subdomain' | 'dns-1035-label' | 'path-segment'

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const rules: Record<NameRule, { shape: RegExp; lengthMax: number; words: string }> = {
  'dns-1123-label': {
    shape: new RegExp(`^${label}$`),
    lengthMax: 63,
    words: "lower case letters, digits and '-', with a letter or digit at both ends",
  },
  'dns-1123-subdomain': {
    shape: new RegExp(`^${label}(\\.${label})*$`),
    lengthMax: 253,
    words: "lower case letters, digits, '-' and '.', with a letter or digit at both ends of each part",
  },
  'dns-1035-label': {
    shape: /^[a-z]([-a-z0-9]*[a-z0-9])?$/,
    lengthMax: 63,
    words: "lower case letters, digits and '-', beginning with a letter and ending with a letter or digit",
  },
  'path-segment': {
    shape: /^(?!\.\.?$)[^/%]+$/,
    lengthMax: 253,
    words: "anything but '/', '%', '.' and '..'",
  },
}

/** Why the name breaks the rule, in one sentence; undefined when it is right. */
export function nameProblem(name: string, rule: NameRule): string | undefined {
  const { shape, lengthMax, words } = rules[rule]
  if (name.length > lengthMax) return `must be no more than ${lengthMax} characters`
  return shape.test(name) ? undefined : `must be ${words}`
}

const qualified = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/

/** Keys of labels and annotations: an optional `dns.subdomain/` before a name of at most 63 characters. */
export function labelKeyProblem(key: string): string | undefined {
  const slash = key.indexOf('/')
  const name = key.slice(slash + 1)
  if (slash >= 0) {
    const problem = nameProblem(key.slice(0, slash), 'dns-1123-subdomain')
    if (problem) return `prefix ${problem}`
  }
  if (name.length > 63) return 'name must be no more than 63 characters'
  return qualified.test(name)
    ? undefined
    : "name must be letters, digits, '-', '_' and '.', with a letter or digit at both ends"
}

export function labelValueProblem(value: string): string | undefined {
  if (value.length > 63) return 'must be no more than 63 characters'
  return value === '' || qualified.test(value)
    ? undefined
    : "must be empty or letters, digits, '-', '_' and '.', with a letter or digit at both ends"
}

/** No vowels and no 0, 1, 3: chance shall not write words or look-alikes. */
const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789'
const suffixLength = 5
const nameLengthMax = 63

/** `generateName` completed: its first 58 characters and five random ones. */
export function generatedName(base: string, pick: (below: number) => number = randomInt): string {
  const suffix = Array.from({ length: suffixLength }, () => suffixAlphabet[pick(suffixAlphabet.length)])
  return base.slice(0, nameLengthMax - suffixLength) + suffix.join('')
}
