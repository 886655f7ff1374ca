import test from 'ava'
import { ociVersion } from '../../src/oci/default-spec.ts'
import { features } from '../../src/oci/features.ts'

test('the document names what this host has, and what is enforced on it', (t) => {
  const document = features({
    version: '1.2.3',
    commit: 'abc',
    layout: { mode: 'v2', v1: [], v2: { controllers: ['pids', 'cpu'], mountPoint: '/c', own: '/' } },
    seccompFlags: 2 | 4,
  })
  t.like(document, {
    hooks: ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'],
    linux: {
      seccomp: {
        enabled: true,
        supportedFlags: ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'],
      },
      apparmor: { enabled: true },
      selinux: { enabled: true },
      intelRdt: { enabled: true, schemata: true, monitoring: true },
      netDevices: { enabled: true },
    },
    annotations: {
      'io.keelson.version': '1.2.3',
      'io.keelson.commit': 'abc',
      'io.keelson.cgroup.mode': 'v2',
      'io.keelson.cgroup.controllers': 'cpu,pids',
      'io.keelson.cgroup.devices': 'enforced',
    },
  })
  t.deepEqual(document['ociVersionMax'], ociVersion)
  t.true(Array.isArray(document['potentiallyUnsafeConfigAnnotations']))
  t.deepEqual(JSON.parse(JSON.stringify(document)), document)
})
