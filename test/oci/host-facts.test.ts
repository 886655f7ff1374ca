import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'ava'
import { readAppArmor, readHostFacts } from '../../src/oci/host-facts.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

test('AppArmor is there when its module is on and its file system is mounted', async (t) => {
  await using directory = await temporaryDirectory()
  const root = directory.path
  const put = (path: string, text = '') => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  t.is(readAppArmor(root), undefined)
  put('sys/module/apparmor/parameters/enabled', 'Y\n')
  t.is(readAppArmor(root), undefined, 'nothing to load profiles with')
  mkdirSync(join(root, 'sys/kernel/security/apparmor'), { recursive: true })
  t.is(readAppArmor(root), '')
  mkdirSync(join(root, 'proc/self/attr/apparmor'), { recursive: true })
  t.is(readAppArmor(root), 'apparmor/')
  put('sys/module/apparmor/parameters/enabled', 'N\n')
  t.is(readAppArmor(root), undefined)
})

test('facts of this machine can be read, and stay what they were', (t) => {
  const facts = readHostFacts()
  t.is(typeof facts.landlockAbi, 'number')
  t.is(typeof facts.seLinux, 'boolean')
  t.is(facts.resctrl, facts.resctrl)
  t.is(facts.appArmor, facts.appArmor)
})
