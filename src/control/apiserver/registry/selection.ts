import {
  type FieldRequirement,
  type KubernetesObject,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseSelector,
  type Selector,
} from '../../../api/index.ts'
import { KeelsonError } from '../../../base/index.ts'
import { badBody } from './decode.ts'
import { type Kind, storedForm } from './registry.ts'
import type { Served } from './served.ts'

/** What of a collection a list, watch or deletecollection is about. */
export interface Selection {
  kind: Kind
  namespace: string | undefined
  /** True where everything in the place is wanted: objects need not be parsed then. */
  all: boolean
  matches(served: Served): boolean
}

/** Reads labelSelector and fieldSelector; 400 when one cannot be read or names an unknown field. */
export function selectionOf(kind: Kind, namespace: string | undefined, query: URLSearchParams): Selection {
  const labels = readSelector(query.get('labelSelector') ?? '')
  const fields = readFields(kind, query.get('fieldSelector') ?? '')
  const all = labels.length === 0 && fields.length === 0
  return {
    kind,
    namespace,
    all,
    matches: (served) => all || selects(kind, labels, fields, served.object),
  }
}

/** The one name that a field selector asks for, so that a list need not look at the others. */
export function selectedName(query: URLSearchParams): string | undefined {
  return /^metadata\.name==?([a-z0-9.-]+)$/.exec(query.get('fieldSelector') ?? '')?.[1]
}

function selects(
  kind: Kind,
  labels: Selector,
  fields: readonly FieldRequirement[],
  object: KubernetesObject,
): boolean {
  if (!matchesLabels(labels, object.metadata.labels)) return false
  if (fields.length === 0) return true
  const values = selectableFields(kind, object)
  return matchesFields(fields, (field) => values[field] ?? '')
}

function selectableFields(kind: Kind, object: KubernetesObject): Record<string, string> {
  const { name = '', namespace = '' } = object.metadata
  const stored = storedForm(kind, object)
  return {
    'metadata.name': name,
    'metadata.namespace': namespace,
    ...kind.strategy.selectableFields?.(stored),
  }
}

function readSelector(text: string): Selector {
  try {
    return parseSelector(text)
  } catch (error) {
    throw badBody(`unable to parse requirement: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function readFields(kind: Kind, text: string): readonly FieldRequirement[] {
  if (text === '') return []
  const fields = parse(text)
  const empty: KubernetesObject = { metadata: {} }
  const known = selectableFields(kind, empty)
  const unknown = fields.find(({ field }) => !Object.hasOwn(known, field))
  if (unknown) throw badBody(`field label not supported: ${unknown.field}`)
  return fields
}

function parse(text: string): readonly FieldRequirement[] {
  try {
    return parseFieldSelector(text)
  } catch (error) {
    if (error instanceof KeelsonError) throw badBody(error.message)
    throw error
  }
}
