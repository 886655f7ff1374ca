import type { KubernetesObject, ResourceType } from '../../../api/index.ts'
import { age, type Cell, type Column, name } from './column.ts'
import { columnsByKind } from './columns.ts'

export type IncludeObject = 'Metadata' | 'Object' | 'None'

export interface TableOptions {
  version: string
  include: IncludeObject
  metadata: Record<string, unknown>
  nowMs: number
  /** The form that columns read: other than the object itself for views. */
  stored: (object: KubernetesObject) => KubernetesObject
  partial: (object: KubernetesObject, apiVersion: string) => unknown
}

const anyKind: readonly Column[] = [name, age]

/** A meta.k8s.io Table of these objects, with the columns that kubectl shows for their kind. */
export function tableOf(
  type: ResourceType,
  objects: readonly KubernetesObject[],
  options: TableOptions,
): unknown {
  const apiVersion = `meta.k8s.io/${options.version}`
  const columns = columnsByKind.get(type.kind) ?? anyKind
  return {
    kind: 'Table',
    apiVersion,
    metadata: options.metadata,
    columnDefinitions: columns.map(definitionOf),
    rows: objects.map((object) => ({
      cells: cellsOf(columns, options.stored(object), options.nowMs),
      ...rowObject(object, apiVersion, options),
    })),
  }
}

function cellsOf(columns: readonly Column[], object: KubernetesObject, nowMs: number): Cell[] {
  return columns.map(({ cell }) => cell(object, nowMs))
}

function definitionOf({ name: title, type, format, wide }: Column) {
  const description = `${title} of the object`
  return { name: title, type: type ?? 'string', format: format ?? '', description, priority: wide ? 1 : 0 }
}

function rowObject(
  object: KubernetesObject,
  apiVersion: string,
  options: TableOptions,
): { object?: unknown } {
  if (options.include === 'None') return {}
  return { object: options.include === 'Object' ? object : options.partial(object, apiVersion) }
}
