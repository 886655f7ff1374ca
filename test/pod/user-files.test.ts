import test from 'ava'
import type { PodImages } from '../../src/pod/context.ts'
import { UserFiles } from '../../src/pod/user-files.ts'

function counting(textOf: (imageId: string) => string | undefined) {
  const asked: string[] = []
  const readFile: PodImages['readFile'] = async (imageId, path) => {
    asked.push(`${imageId}:${path}`)
    const text = textOf(imageId)
    return text === undefined ? undefined : Buffer.from(text)
  }
  return { asked, images: { readFile } as PodImages }
}

test('an image is read once, and empty where it has no such file', async (t) => {
  const { asked, images } = counting((id) => (id === 'none' ? undefined : `of ${id}`))
  const files = new UserFiles(images)
  t.deepEqual(await files.of('a'), { passwd: 'of a', group: 'of a' })
  t.deepEqual(await files.of('a'), { passwd: 'of a', group: 'of a' })
  t.deepEqual(await files.of('none'), { passwd: '', group: '' })
  t.deepEqual(asked, ['a:/etc/passwd', 'a:/etc/group', 'none:/etc/passwd', 'none:/etc/group'])
})

test('memory is bounded: by the number of images, and by the length of a file', async (t) => {
  const { asked, images } = counting((id) => (id === 'long' ? 'x'.repeat(20_000) : 'short'))
  const files = new UserFiles(images)
  await files.of('long')
  await files.of('long')
  t.is(asked.length, 4)
  for (let number = 0; number < 65; number++) await files.of(String(number))
  asked.length = 0
  await files.of('64')
  t.is(asked.length, 0)
  await files.of('0')
  t.is(asked.length, 2)
})
