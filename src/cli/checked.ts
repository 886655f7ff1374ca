import { readFile } from 'node:fs/promises'
import * as v from 'valibot'
import { parse as parseYaml } from 'yaml'
import { KeelsonError } from '../base/index.ts'

/** What somebody wrote, as the schema has it. INVALID_ARGUMENT names the setting that is wrong, and what is expected. */
export function checked<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  where: (key: string) => string,
): v.InferOutput<S> {
  const result = v.safeParse(schema, value)
  if (result.success) return result.output
  const [issue] = result.issues
  const path = issue.path?.map(({ key }) => String(key)).join('.') ?? ''
  throw new KeelsonError('INVALID_ARGUMENT', `${where(path)}: ${wordsOf(issue)}`, { path })
}

function wordsOf({ type, expected, input, message }: v.BaseIssue<unknown>): string {
  if (type === 'strict_object' && expected === 'never') return 'there is no such setting'
  if (input === undefined) return 'this setting is missing'
  return typeof input === 'object' ? message : `${message}, not ${JSON.stringify(input)}`
}

/** The document in a file. `what` and `hint` are for who named a file that cannot be read. */
export async function readYamlFile(path: string, what: string, hint: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new KeelsonError('INVALID_ARGUMENT', `the ${what} ${path} cannot be read`, { path, cause, hint })
  })
  try {
    return parseYaml(text)
  } catch (cause) {
    const [words = ''] = cause instanceof Error ? cause.message.split('\n') : []
    throw new KeelsonError('INVALID_ARGUMENT', `${path} is not YAML: ${words.replace(/:$/, '')}`, {
      path,
      cause,
    })
  }
}
