import test from 'ava'
import fc from 'fast-check'
import type { EndpointSlice, Service } from '../../src/api/index.ts'
import { changesBetween, rulesetFor } from '../../src/services/ruleset.ts'
import { servicePorts } from '../../src/services/service-ports.ts'
import { serviceTable } from '../../src/services/service-table.ts'
import { service, slice } from '../support/service-objects.ts'

const options = { table: 'keelson-services', serviceCidr: '10.43.0.0/16' }

function lines(services: Service[], slices: EndpointSlice[]): string[] {
  return rulesetFor(services, slices, options)
    .split('\n')
    .filter((line) => /^(add|delete) /.test(line))
    .map((line) => line.replace(/[0-9a-f]{16}/g, '#'))
}

test('two endpoints: one chain with one rule, one map element', (t) => {
  t.deepEqual(lines([service('web', '10.43.0.9')], [slice('web', ['10.42.0.3', '10.42.0.2'])]), [
    'delete table ip keelson-services',
    'add chain ip keelson-services service-#',
    'add rule ip keelson-services service-# meta l4proto tcp dnat ip addr . port to numgen random mod 2 map { 0 : 10.42.0.2 . 80, 1 : 10.42.0.3 . 80 } comment "default/web:"',
    'add element ip keelson-services cluster-ips { 10.43.0.9 . tcp . 80 : goto service-# }',
    'add element ip keelson-services hairpin { 10.42.0.2 . 10.42.0.2, 10.42.0.3 . 10.42.0.3 }',
  ])
})

test('a Service without ready endpoints is in no map, and its range is refused', (t) => {
  const notReady = slice('web', [{ address: '10.42.0.2', ready: false }])
  t.deepEqual(lines([service('web', '10.43.0.9')], [notReady]), ['delete table ip keelson-services'])
  t.true(rulesetFor([], [], options).includes('ip daddr 10.43.0.0/16 goto refuse'))
})

test('ports are matched by name and protocol; a slice may give another port', (t) => {
  const ports = [
    { name: 'dns', port: 53, protocol: 'UDP' as const },
    { name: 'dns-tcp', port: 53 },
    { name: 'other', port: 99 },
  ]
  const found = servicePorts(
    [service('dns', '10.43.0.10', ports)],
    [
      slice(
        'dns',
        ['10.42.0.2'],
        [
          { name: 'dns', port: 5353, protocol: 'UDP' },
          { name: 'dns-tcp', port: 5354, protocol: 'TCP' },
        ],
      ),
    ],
  )
  t.deepEqual(
    found.map(({ name, protocol, endpoints }) => [name, protocol, ...endpoints.map(({ port }) => port)]),
    [
      ['default/dns:dns', 'udp', 5353],
      ['default/dns:dns-tcp', 'tcp', 5354],
      ['default/dns:other', 'tcp'],
    ],
  )
})

test('endpoints that end are used only when no other is ready', (t) => {
  const ending = { address: '10.42.0.9', ready: false, serving: true, terminating: true }
  const addresses = (...endpoints: Parameters<typeof slice>[1]) =>
    servicePorts([service('web', '10.43.0.9')], [slice('web', endpoints)])[0]?.endpoints.map(
      ({ address }) => address,
    )
  t.deepEqual(addresses(ending, '10.42.0.2'), ['10.42.0.2'])
  t.deepEqual(addresses(ending), ['10.42.0.9'])
  t.deepEqual(addresses({ ...ending, serving: false }), [])
})

test('headless, ExternalName and malformed Services do not spoil the others', (t) => {
  const good = service('good', '10.43.0.9')
  const services = [
    good,
    service('headless', 'None'),
    service('external', '10.43.0.10', [{ port: 80 }], { type: 'ExternalName' }),
    service('text', '10.43.0.11; flush ruleset'),
    service('port', '10.43.0.12', [{ port: 70000 }]),
    service('zz-twin', '10.43.0.9'),
  ]
  const slices = services.map(({ metadata }) => slice(metadata.name ?? '', ['10.42.0.2']))
  t.deepEqual(
    servicePorts(services, slices).map(({ name }) => name),
    ['default/good:'],
  )
  const hostile = servicePorts([good], [slice('good', ['10.42.0.2 }', '10.42.0.3'])])
  t.deepEqual(hostile[0]?.endpoints, [{ address: '10.42.0.3', port: 80 }])
})

test('equal states need no command', (t) => {
  const state = serviceTable(servicePorts([service('web', '10.43.0.9')], [slice('web', ['10.42.0.2'])]))
  t.is(changesBetween(state, state, 'x'), '')
})

test('commands lead from any state to any other: played back, they give what the whole ruleset would', (t) => {
  fc.assert(
    fc.property(cluster, cluster, (one, other) => {
      const [before, after] = [serviceTable(servicePorts(...one)), serviceTable(servicePorts(...other))]
      const played = new Playback()
      played.run(changesBetween(undefined, before, 'x'))
      played.run(changesBetween(before, after, 'x'))
      const direct = new Playback()
      direct.run(changesBetween(undefined, after, 'x'))
      t.deepEqual(played.state(), direct.state())
    }),
    { numRuns: 200 },
  )
})

const cluster: fc.Arbitrary<[Service[], EndpointSlice[]]> = fc
  .array(
    fc.record({
      index: fc.nat(4),
      address: fc.nat(3),
      affinity: fc.option(fc.constantFrom(10, 20), { nil: undefined }),
      nodePort: fc.option(fc.constantFrom(30001, 30002), { nil: undefined }),
      udp: fc.boolean(),
      endpoints: fc.uniqueArray(fc.nat(4), { maxLength: 3 }),
    }),
    { maxLength: 5 },
  )
  .map((list) => [
    list.map(({ index, address, affinity, nodePort, udp }) =>
      service(
        `s${index}`,
        `10.43.0.${address}`,
        [{ port: 80, ...(nodePort ? { nodePort } : {}), protocol: udp ? 'UDP' : 'TCP' }],
        {
          type: 'NodePort',
          ...(affinity
            ? {
                sessionAffinity: 'ClientIP',
                sessionAffinityConfig: { clientIP: { timeoutSeconds: affinity } },
              }
            : {}),
        },
      ),
    ),
    list.map(({ index, udp, endpoints }) =>
      slice(
        `s${index}`,
        endpoints.map((one) => `10.42.0.${one}`),
        [{ port: 80, protocol: udp ? 'UDP' : 'TCP' }],
      ),
    ),
  ])

/** As much of nft as the commands use; refuses what nft refuses. */
class Playback {
  readonly #chains = new Map<string, string[]>()
  readonly #sets = new Set<string>()
  readonly #elements = new Map<string, string>()

  run(text: string): void {
    for (const line of text.split('\n').filter((one) => one !== '')) this.#command(line)
  }

  state(): unknown {
    const sorted = <V>(map: Map<string, V>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1))
    return { chains: sorted(this.#chains), sets: [...this.#sets].sort(), elements: sorted(this.#elements) }
  }

  #command(line: string): void {
    const [, verb, what, name = '', rest = ''] = line.match(/^(\w+) (\w+) ip x ([\w-]+) ?(.*)$/) ?? []
    if (what === 'element') this.#elementCommand(verb, name, rest)
    else if (what === 'set') this.#setCommand(verb, name)
    else if (what === 'rule') this.#addRule(name, rest)
    else if (verb === 'add') this.#chains.set(name, this.#chains.get(name) ?? [])
    else if (verb === 'flush') this.#chains.set(name, [])
    else this.#deleteChain(name)
  }

  #addRule(name: string, rule: string): void {
    for (const [, target = ''] of rule.matchAll(/goto ([\w-]+)/g)) this.#must(this.#chains.has(target), rule)
    for (const [, set = ''] of rule.matchAll(/@([\w-]+)/g)) this.#must(this.#sets.has(set), rule)
    this.#chains.get(name)?.push(rule)
  }

  #setCommand(verb: string | undefined, name: string): void {
    this.#must(verb === 'add' || ![...this.#chains.values()].flat().some((rule) => rule.includes(name)), name)
    if (verb === 'add') this.#sets.add(name)
    else this.#must(this.#sets.delete(name), name)
  }

  #deleteChain(name: string): void {
    this.#must(this.#chains.get(name)?.length === 0, name)
    this.#chains.delete(name)
    const users = [...[...this.#chains.values()].flat(), ...this.#elements.values()]
    this.#must(!users.some((rule) => rule.includes(`goto ${name}`)), name)
  }

  #elementCommand(verb: string | undefined, map: string, list: string): void {
    for (const element of list.replace(/^\{ | \}$/g, '').split(', ')) {
      const [key = '', value = ''] = element.split(' : ')
      const held = this.#elements.get(`${map} ${key}`)
      this.#must(verb === 'add' ? held === undefined : held === value, element)
      if (verb === 'add') this.#elements.set(`${map} ${key}`, value)
      else this.#elements.delete(`${map} ${key}`)
    }
  }

  #must(holds: boolean, what: string): void {
    if (!holds) throw new Error(`nft would refuse: ${what}`)
  }
}
