/**
 * Strategic merge patch: a merge patch that knows which lists are merged by a key or as sets. The schema says so
 * (`x-kubernetes-patch-strategy`, `x-kubernetes-patch-merge-key`); the patch itself may carry directives:
 *
 * - `$patch: replace | merge | delete` in an object, or `{ $patch: replace }` as an item of a merged list;
 * - `$retainKeys: [names]`: drops every other member first (unions);
 * - `$deleteFromPrimitiveList/<field>: [values]`, beside the list;
 * - `$setElementOrder/<field>: [keys or values]`: the order the list's elements shall have.
 *
 * Source: the API conventions' page on strategic merge patch and its list-order design.
 */
import { KeelsonError } from '../../base/index.ts'
import { definitions, resolveSchema, type Schema } from '../schema/definitions.ts'
import { orderElements } from './element-order.ts'
import { defineMember, isRecord } from './merge-patch.ts'

type Members = Record<string, unknown>

const orderPrefix = '$setElementOrder/'
const deletePrefix = '$deleteFromPrimitiveList/'

/** The patched object; neither argument is changed. INVALID_ARGUMENT names the JSON path of a directive that is wrong. */
export function applyStrategicMergePatch(target: unknown, patch: unknown, definition: string): unknown {
  if (!isRecord(patch)) throw wrong('', 'a patch must be an object')
  return mergeObject(isRecord(target) ? target : {}, patch, definitions().get(definition), '')
}

function mergeObject(target: Members, patch: Members, schema: Schema | undefined, path: string): Members {
  const directive = patch['$patch']
  if (directive === 'replace') return withoutDirectives(patch)
  if (directive === 'delete') return {}
  if (directive !== undefined && directive !== 'merge')
    throw wrong(path, `$patch is ${JSON.stringify(directive)}`)
  const result = retained(target, patch, path)
  for (const name of fieldsOf(patch))
    mergeField(result, name, patch, memberSchema(schema, name), path === '' ? name : `${path}.${name}`)
  return result
}

/** Plain members of the patch, and those that only a directive beside them names. */
function fieldsOf(patch: Members): Set<string> {
  const fields = Object.keys(patch).flatMap((key) => {
    if (key.startsWith(orderPrefix)) return [key.slice(orderPrefix.length)]
    if (key.startsWith(deletePrefix)) return [key.slice(deletePrefix.length)]
    return key === '$patch' || key === '$retainKeys' ? [] : [key]
  })
  return new Set(fields)
}

function retained(target: Members, patch: Members, path: string): Members {
  const keep = patch['$retainKeys']
  if (keep === undefined) return { ...target }
  if (!Array.isArray(keep)) throw wrong(path, '$retainKeys must be a list of names')
  return Object.fromEntries(Object.entries(target).filter(([name]) => keep.includes(name)))
}

function mergeField(
  result: Members,
  name: string,
  patch: Members,
  schema: Schema | undefined,
  path: string,
): void {
  const value = patch[name]
  const present = Object.hasOwn(result, name) ? result[name] : undefined
  if (Object.hasOwn(patch, name) && value === null) {
    delete result[name]
    return
  }
  const strategies = (schema?.['x-kubernetes-patch-strategy'] ?? '').split(',')
  if (strategies.includes('merge') && (Array.isArray(value) || value === undefined)) {
    const list = mergeList(Array.isArray(present) ? present : [], value ?? [], patch, name, schema, path)
    if (Object.hasOwn(result, name) || value !== undefined) defineMember(result, name, list)
    return
  }
  if (value === undefined) return // a directive about a list that is not merged: nothing to do
  if (isRecord(value) && !strategies.includes('replace'))
    defineMember(
      result,
      name,
      mergeObject(isRecord(present) ? present : {}, value, schema && resolveSchema(schema), path),
    )
  else defineMember(result, name, withoutDirectives(value))
}

function mergeList(
  present: readonly unknown[],
  items: readonly unknown[],
  patch: Members,
  name: string,
  schema: Schema | undefined,
  path: string,
): unknown[] {
  const key = schema?.['x-kubernetes-patch-merge-key']
  const removed = listDirective(patch, deletePrefix + name, path)
  const order = listDirective(patch, orderPrefix + name, path)
  const itemSchema = schema?.items && resolveSchema(schema.items)
  const merged = key
    ? mergeByKey(present, items, key, itemSchema, path)
    : mergeAsSet(present, items, removed ?? [])
  if (!order) return merged
  const identify = (item: unknown) => (key && isRecord(item) ? item[key] : item)
  return orderElements(merged, present.map(identify), order.map(identify), identify)
}

function listDirective(patch: Members, key: string, path: string): readonly unknown[] | undefined {
  const value = patch[key]
  if (value !== undefined && !Array.isArray(value)) throw wrong(path, `${key} must be a list`)
  return value
}

function mergeAsSet(
  present: readonly unknown[],
  items: readonly unknown[],
  removed: readonly unknown[],
): unknown[] {
  return [...new Set([...present.filter((item) => !removed.includes(item)), ...items])]
}

function mergeByKey(
  present: readonly unknown[],
  items: readonly unknown[],
  key: string,
  schema: Schema | undefined,
  path: string,
): unknown[] {
  const changes = items.map((item, index) => keyedItem(item, key, `${path}[${index}]`))
  const replaces = changes.some(({ item, value }) => item['$patch'] === 'replace' && value === undefined)
  let result: unknown[] = replaces ? [] : [...present]
  for (const { item, value } of changes) {
    const matches = (one: unknown) => isRecord(one) && one[key] === value
    if (value === undefined) continue
    if (item['$patch'] === 'delete') result = result.filter((one) => !matches(one))
    else if (result.some(matches))
      result = result.map((one) =>
        matches(one) ? mergeObject(one as Members, item, schema, `${path}[${key}=${value}]`) : one,
      )
    else result.push(mergeObject({}, item, schema, `${path}[${key}=${value}]`))
  }
  return result
}

function keyedItem(item: unknown, key: string, path: string): { item: Members; value: unknown } {
  if (!isRecord(item)) throw wrong(path, 'must be an object')
  const value = item[key]
  if (value === undefined && item['$patch'] !== 'replace') throw wrong(path, `has no ${key} to merge by`)
  return { item, value }
}

/** A value that is taken whole: directives inside it are instructions, not content, and nulls have nothing to remove. */
function withoutDirectives(value: unknown): Members
function withoutDirectives(value: unknown): unknown
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((one: unknown) => withoutDirectives(one))
  if (!isRecord(value)) return value
  const result: Members = {}
  for (const [name, member] of Object.entries(value))
    if (!isDirective(name) && member !== null) defineMember(result, name, withoutDirectives(member))
  return result
}

function isDirective(name: string): boolean {
  return (
    name === '$patch' ||
    name === '$retainKeys' ||
    name.startsWith(orderPrefix) ||
    name.startsWith(deletePrefix)
  )
}

function memberSchema(schema: Schema | undefined, name: string): Schema | undefined {
  if (!schema) return undefined
  if (schema.properties && Object.hasOwn(schema.properties, name)) return schema.properties[name]
  return schema.additionalProperties
}

function wrong(path: string, why: string): KeelsonError {
  return new KeelsonError(
    'INVALID_ARGUMENT',
    `strategic merge patch: ${path === '' ? '' : `${path}: `}${why}`,
    {
      path,
    },
  )
}
