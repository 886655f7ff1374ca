import { stringify } from 'yaml'
import { apiVersionOf, type KubernetesObject } from '../../../api/index.ts'
import { type Negotiated, negotiate } from '../http/media-type.ts'
import type { Page } from '../registry/list.ts'
import type { Kind } from '../registry/registry.ts'
import type { Served } from '../registry/served.ts'
import { type IncludeObject, tableOf } from './table.ts'

/** How the objects of one request are written. */
export interface Presenter {
  readonly contentType: string
  /** Content type of a watch stream. */
  readonly streamType: string
  one(served: Served): Uint8Array
  page(page: Page): Uint8Array
  watchLine(event: string, served: Served): Uint8Array
  /** A BOOKMARK event: no object, only how far the watch has come. */
  bookmarkLine(revision: number, annotations?: Record<string, string>): Uint8Array
}

/** The presenter that an Accept header asks for; 406 when we have none. */
export function presenterFor(
  kind: Kind,
  accept: string | undefined,
  query: URLSearchParams,
  nowMs: () => number,
): Presenter {
  const wanted = negotiate(accept)
  if (wanted.format === 'yaml')
    return new YamlPresenter(presenterOf({ ...wanted, format: 'json' }, kind, query, nowMs))
  return presenterOf(wanted, kind, query, nowMs)
}

function presenterOf(wanted: Negotiated, kind: Kind, query: URLSearchParams, nowMs: () => number): Presenter {
  if (wanted.form === 'object') return new ObjectPresenter(kind)
  if (wanted.form === 'metadata') return new MetadataPresenter(wanted.version)
  const include = query.get('includeObject') ?? 'Metadata'
  return new TablePresenter(kind, wanted.version, include as IncludeObject, nowMs)
}

/** Whole objects: the shared bytes as they are. */
class ObjectPresenter implements Presenter {
  readonly contentType = 'application/json'
  readonly streamType = 'application/json;stream=watch'
  readonly #kind: Kind

  constructor(kind: Kind) {
    this.#kind = kind
  }

  one(served: Served): Uint8Array {
    return served.json
  }

  page(page: Page): Uint8Array {
    const { type } = this.#kind
    return listBytes(`${type.kind}List`, apiVersionOf(type), page, (served) => served.json)
  }

  watchLine(event: string, served: Served): Uint8Array {
    return served.watchLine(event)
  }

  bookmarkLine(revision: number, annotations?: Record<string, string>): Uint8Array {
    const { type } = this.#kind
    return bookmark(type.kind, apiVersionOf(type), revision, annotations)
  }
}

/** `PartialObjectMetadata`: the metadata alone. */
class MetadataPresenter implements Presenter {
  readonly contentType: string
  readonly streamType: string
  readonly #apiVersion: string

  constructor(version: string) {
    this.#apiVersion = `meta.k8s.io/${version}`
    this.contentType = `application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=${version}`
    this.streamType = `application/json;stream=watch;as=PartialObjectMetadata;g=meta.k8s.io;v=${version}`
  }

  one(served: Served): Uint8Array {
    return Buffer.from(JSON.stringify(partial(served.object, this.#apiVersion)))
  }

  page(page: Page): Uint8Array {
    return listBytes('PartialObjectMetadataList', this.#apiVersion, page, (served) => this.one(served))
  }

  watchLine(event: string, served: Served): Uint8Array {
    return eventLine(event, partial(served.object, this.#apiVersion))
  }

  bookmarkLine(revision: number, annotations?: Record<string, string>): Uint8Array {
    return bookmark('PartialObjectMetadata', this.#apiVersion, revision, annotations)
  }
}

/** `Table`: what `kubectl get` prints. */
class TablePresenter implements Presenter {
  readonly contentType: string
  readonly streamType: string
  readonly #kind: Kind
  readonly #version: string
  readonly #include: IncludeObject
  readonly #nowMs: () => number

  constructor(kind: Kind, version: string, include: IncludeObject, nowMs: () => number) {
    this.#kind = kind
    this.#version = version
    this.#include = include
    this.#nowMs = nowMs
    this.contentType = `application/json;as=Table;g=meta.k8s.io;v=${version}`
    this.streamType = `application/json;stream=watch;as=Table;g=meta.k8s.io;v=${version}`
  }

  one(served: Served): Uint8Array {
    return Buffer.from(JSON.stringify(this.#table([served], { resourceVersion: String(served.revision) })))
  }

  page(page: Page): Uint8Array {
    return Buffer.from(JSON.stringify(this.#table(page.items, listMeta(page))))
  }

  watchLine(event: string, served: Served): Uint8Array {
    return eventLine(event, this.#table([served], { resourceVersion: String(served.revision) }))
  }

  bookmarkLine(revision: number, annotations?: Record<string, string>): Uint8Array {
    return eventLine(
      'BOOKMARK',
      this.#table([], { resourceVersion: String(revision), ...(annotations ? { annotations } : {}) }),
    )
  }

  #table(items: readonly Served[], metadata: Record<string, unknown>): unknown {
    const objects = items.map(({ object }) => object)
    return tableOf(this.#kind.type, objects, {
      version: this.#version,
      include: this.#include,
      metadata,
      nowMs: this.#nowMs(),
      stored: (object) => this.#kind.view?.toStored(object) ?? object,
      partial,
    })
  }
}

/** The same objects as YAML; streams stay JSON lines. */
class YamlPresenter implements Presenter {
  readonly contentType = 'application/yaml'
  readonly streamType: string
  readonly #json: Presenter

  constructor(json: Presenter) {
    this.#json = json
    this.streamType = json.streamType
  }

  one(served: Served): Uint8Array {
    return yaml(this.#json.one(served))
  }

  page(page: Page): Uint8Array {
    return yaml(this.#json.page(page))
  }

  watchLine(event: string, served: Served): Uint8Array {
    return this.#json.watchLine(event, served)
  }

  bookmarkLine(revision: number, annotations?: Record<string, string>): Uint8Array {
    return this.#json.bookmarkLine(revision, annotations)
  }
}

function yaml(json: Uint8Array): Uint8Array {
  return Buffer.from(stringify(JSON.parse(Buffer.from(json).toString()), { version: '1.1' }))
}

function partial({ metadata }: KubernetesObject, apiVersion: string): unknown {
  return { kind: 'PartialObjectMetadata', apiVersion, metadata }
}

function listMeta(page: Page): Record<string, unknown> {
  return {
    resourceVersion: String(page.revision),
    ...(page.continue === undefined ? {} : { continue: page.continue }),
    ...(page.remainingItemCount === undefined ? {} : { remainingItemCount: page.remainingItemCount }),
  }
}

const comma = Buffer.from(',')

function listBytes(
  kind: string,
  apiVersion: string,
  page: Page,
  bytesOf: (served: Served) => Uint8Array,
): Uint8Array {
  const head = `{"kind":"${kind}","apiVersion":"${apiVersion}","metadata":${JSON.stringify(listMeta(page))},"items":[`
  const items = page.items.flatMap((served, i) => (i === 0 ? [bytesOf(served)] : [comma, bytesOf(served)]))
  return Buffer.concat([Buffer.from(head), ...items, Buffer.from(']}')])
}

function bookmark(
  kind: string,
  apiVersion: string,
  revision: number,
  annotations: Record<string, string> | undefined,
): Uint8Array {
  const metadata = {
    resourceVersion: String(revision),
    creationTimestamp: null,
    ...(annotations ? { annotations } : {}),
  }
  return eventLine('BOOKMARK', { kind, apiVersion, metadata })
}

function eventLine(type: string, object: unknown): Uint8Array {
  return Buffer.from(`${JSON.stringify({ type, object })}\n`)
}
