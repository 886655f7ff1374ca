import test from 'ava'
import { whyNotRun } from '../../src/oci/program-error.ts'

function elf(machine: number): Buffer {
  const head = Buffer.alloc(64)
  head.writeUInt32BE(0x7f454c46, 0)
  head[4] = 2
  head[5] = 1
  head.writeUInt16LE(machine, 18)
  return head
}

test('the machine that a program is for, and that of the host', (t) => {
  t.is(whyNotRun('ENOEXEC', elf(183), 'x64'), 'it is for aarch64, and this host is x86_64')
  t.is(whyNotRun('ENOEXEC', elf(62), 'arm64'), 'it is for x86_64, and this host is aarch64')
  t.is(whyNotRun('ENOEXEC', elf(999), 'x64'), 'it is for ELF machine 999, and this host is x86_64')
  t.is(whyNotRun('ENOEXEC', elf(62), 'x64'), undefined)
})

test('scripts and others', (t) => {
  const text = (words: string) => Buffer.from(words)
  t.is(
    whyNotRun('ENOENT', text('#! /bin/nope -x\n'), 'x64'),
    'the interpreter /bin/nope of the script is missing',
  )
  t.is(whyNotRun('ENOENT', elf(62), 'x64'), 'the file is there, its dynamic loader is missing')
  t.is(whyNotRun('ENOENT', text(''), 'x64'), undefined)
  t.is(whyNotRun('ENOEXEC', text('echo hello\n'), 'x64'), 'it is neither ELF nor a script with #!')
  t.is(whyNotRun('ENOEXEC', text(''), 'x64'), 'the file is empty')
  t.is(whyNotRun('EACCES', elf(183), 'x64'), undefined)
})
