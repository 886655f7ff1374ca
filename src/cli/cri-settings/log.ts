import * as v from 'valibot'
import type { LogLevel } from '../../base/index.ts'
import { setting } from '../settings.ts'

/** What is written to standard error. */
export const logSettings = {
  level: setting<LogLevel>(
    v.picklist(['debug', 'info', 'warn', 'error'] as const, 'one of debug, info, warn, error is expected'),
    'info',
    'Least level of lines to write: debug, info, warn or error. At debug every call is a line.',
    { name: 'log-level', value: 'LEVEL', help: 'debug, info, warn or error (info)' },
  ),
  format: setting<'json' | 'text'>(
    v.picklist(['json', 'text'] as const, 'one of json, text is expected'),
    'json',
    'json: one object a line, with time, level, msg. text: the same for people.',
    { name: 'log-format', value: 'FORMAT', help: 'json or text (json)' },
  ),
} as const
