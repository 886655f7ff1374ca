/**
 * Label and field selectors. Both are lists of requirements that must all hold. The string form is what query
 * parameters carry (`app=web,tier in (a,b),!old`); the object form is metav1.LabelSelector.
 */
import { KeelsonError } from '../base/index.ts'
import type { LabelSelector } from './types/index.ts'

export type SelectorOperator = 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt'

export interface Requirement {
  key: string
  operator: SelectorOperator
  /** None for Exists and DoesNotExist, one integer for Gt and Lt. */
  values: readonly string[]
}

/** Matches when every requirement does: the empty list matches everything. */
export type Selector = readonly Requirement[]
export type Labels = Readonly<Record<string, string>>

export function matchesLabels(selector: Selector, labels: Labels | undefined): boolean {
  return selector.every((one) => meets(one, labels?.[one.key]))
}

/** Whether a value (undefined: the key is absent) meets a requirement. An absent key meets NotIn. */
export function meets({ operator, values }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    default:
      return value !== undefined && comparesTo(operator, value, values[0] ?? '')
  }
}

function comparesTo(operator: 'Gt' | 'Lt', left: string, right: string): boolean {
  if (!/^[+-]?\d+$/.test(left) || !/^[+-]?\d+$/.test(right)) return false
  return operator === 'Gt' ? BigInt(left) > BigInt(right) : BigInt(left) < BigInt(right)
}

/** From the object form. Undefined matches nothing, the empty selector everything: the API's convention. */
export function selectorOf(selector: LabelSelector | undefined): Selector {
  if (!selector) return [{ key: '', operator: 'In', values: [] }]
  const equal = Object.entries(selector.matchLabels ?? {}).map(
    ([key, value]): Requirement => ({ key, operator: 'In', values: [value] }),
  )
  const expressions = (selector.matchExpressions ?? []).map(({ key, operator, values = [] }): Requirement => {
    if (!isSetOperator(operator))
      throw new KeelsonError('INVALID_ARGUMENT', `unknown label selector operator ${operator}`)
    return { key, operator, values }
  })
  return [...equal, ...expressions]
}

function isSetOperator(operator: string): operator is SelectorOperator {
  return ['In', 'NotIn', 'Exists', 'DoesNotExist'].includes(operator)
}

/** The plain map of a Service or ReplicationController. Empty or absent matches nothing there. */
export function selectorOfMap(map: Labels | undefined): Selector {
  return selectorOf(map && Object.keys(map).length > 0 ? { matchLabels: { ...map } } : undefined)
}

const token = /\s*(?:([A-Za-z0-9._/-]+)|(==|!=|=|!|>|<|,|\(|\)))/y

/** Reads the string form; INVALID_ARGUMENT names the place that is wrong. */
export function parseSelector(text: string): Selector {
  const tokens = tokenize(text)
  const requirements: Requirement[] = []
  while (tokens.peek() !== undefined) {
    requirements.push(requirement(tokens))
    if (tokens.peek() === undefined) break
    tokens.expect(',')
  }
  return requirements
}

interface Tokens {
  peek(): string | undefined
  next(): string | undefined
  word(allowEmpty?: boolean): string
  expect(token: string): void
}

function tokenize(text: string): Tokens {
  const found: string[] = []
  token.lastIndex = 0
  while (token.lastIndex < text.trimEnd().length) {
    const at = token.lastIndex
    const match = token.exec(text)
    if (!match) throw unreadable(text, `unexpected ${JSON.stringify(text.slice(at).trim()[0])}`)
    found.push(match[1] ?? match[2] ?? '')
  }
  let index = 0
  const isWord = (one: string | undefined) => one !== undefined && /^[A-Za-z0-9._/-]/.test(one)
  return {
    peek: () => found[index],
    next: () => found[index++],
    word(allowEmpty = false) {
      if (isWord(found[index])) return found[index++] ?? ''
      if (allowEmpty) return ''
      throw unreadable(text, `expected a name, found ${found[index] ?? 'the end'}`)
    },
    expect(wanted) {
      const one = found[index++]
      if (one !== wanted) throw unreadable(text, `expected ${wanted}, found ${one ?? 'the end'}`)
    },
  }
}

function requirement(tokens: Tokens): Requirement {
  if (tokens.peek() === '!') {
    tokens.next()
    return { key: tokens.word(), operator: 'DoesNotExist', values: [] }
  }
  const key = tokens.word()
  const operator = tokens.peek()
  if (operator === undefined || operator === ',') return { key, operator: 'Exists', values: [] }
  tokens.next()
  if (operator === '=' || operator === '==') return { key, operator: 'In', values: [tokens.word(true)] }
  if (operator === '!=') return { key, operator: 'NotIn', values: [tokens.word(true)] }
  if (operator === '>') return { key, operator: 'Gt', values: [tokens.word()] }
  if (operator === '<') return { key, operator: 'Lt', values: [tokens.word()] }
  if (operator === 'in') return { key, operator: 'In', values: valueSet(tokens) }
  if (operator === 'notin') return { key, operator: 'NotIn', values: valueSet(tokens) }
  throw new KeelsonError('INVALID_ARGUMENT', `label selector: unknown operator ${operator} after ${key}`)
}

function valueSet(tokens: Tokens): string[] {
  tokens.expect('(')
  const values = [tokens.word(true)]
  while (tokens.peek() === ',') {
    tokens.next()
    values.push(tokens.word(true))
  }
  tokens.expect(')')
  return values
}

/** The string form, such that `parseSelector` gives the same requirements back. */
export function formatSelector(selector: Selector): string {
  return selector.map(formatRequirement).join(',')
}

function formatRequirement({ key, operator, values }: Requirement): string {
  switch (operator) {
    case 'Exists':
      return key
    case 'DoesNotExist':
      return `!${key}`
    case 'Gt':
      return `${key}>${values[0] ?? ''}`
    case 'Lt':
      return `${key}<${values[0] ?? ''}`
    case 'In':
      return values.length === 1 ? `${key}=${values[0]}` : `${key} in (${values.join(',')})`
    case 'NotIn':
      return values.length === 1 ? `${key}!=${values[0]}` : `${key} notin (${values.join(',')})`
  }
}

export interface FieldRequirement {
  field: string
  equal: boolean
  value: string
}

/** `metadata.name=a,status.phase!=Running`; a backslash protects `,`, `=` and itself in a value. */
export function parseFieldSelector(text: string): readonly FieldRequirement[] {
  return splitUnescaped(text).map((term) => {
    const match = /^\s*([^=!\s]+)\s*(==|!=|=)(.*)$/s.exec(term)
    if (!match)
      throw new KeelsonError('INVALID_ARGUMENT', `field selector: cannot read ${JSON.stringify(term)}`)
    const [, field = '', operator, value = ''] = match
    return { field, equal: operator !== '!=', value: value.trim().replace(/\\([\\,=])/g, '$1') }
  })
}

function splitUnescaped(text: string): string[] {
  return (text.match(/(?:\\.|[^,\\])+/gs) ?? []).filter((term) => term.trim() !== '')
}

export function formatFieldSelector(selector: readonly FieldRequirement[]): string {
  return selector
    .map(({ field, equal, value }) => `${field}${equal ? '=' : '!='}${value.replace(/[\\,=]/g, '\\$&')}`)
    .join(',')
}

/** `read` gives a field's value as a string, the empty string where it is absent. */
export function matchesFields(
  selector: readonly FieldRequirement[],
  read: (field: string) => string,
): boolean {
  return selector.every(({ field, equal, value }) => (read(field) === value) === equal)
}

/** The member at a dotted path as a string; empty when absent or not a scalar. */
export function fieldOf(object: unknown, path: string): string {
  let value = object
  for (const key of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return ''
    value = (value as Record<string, unknown>)[key]
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : ''
}

function unreadable(text: string, why: string): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', `label selector ${JSON.stringify(text)}: ${why}`)
}
