import test from 'ava'
import { hostsText, resolvText } from '../../src/pod/files.ts'

test('hosts: the loopback names, then the pod under each of its addresses', (t) => {
  const text = hostsText({ hostname: 'web', addresses: ['10.42.0.5', 'fd00::5'] })
  t.true(text.startsWith('127.0.0.1\tlocalhost\n'))
  t.true(text.endsWith('10.42.0.5\tweb\nfd00::5\tweb\n'))
  t.false(hostsText({ hostname: '', addresses: ['10.42.0.5'] }).includes('10.42.0.5'))
})

test('resolv.conf: a line each for search and options, one per server, nothing for nothing', (t) => {
  const dns = { servers: ['10.43.0.10', '1.1.1.1'], searches: ['a.b', 'b'], options: ['ndots:5'] }
  t.is(resolvText(dns), 'search a.b b\nnameserver 10.43.0.10\nnameserver 1.1.1.1\noptions ndots:5\n')
  t.is(resolvText({ servers: [], searches: [], options: [] }), '')
})
