#!/usr/bin/env node
// signal-names: writes native/front/signals.generated.h from the names that Node knows, so that `kill` reads the same
// words on either side. Run it by hand; the result is committed, and a test compares.
import { writeFileSync } from 'node:fs'
import { constants } from 'node:os'

const lines = Object.entries(constants.signals).map(([name, number]) => `  X(${number}, ${name.slice(3)})`)
const text = `// Written by scripts/signal-names.mjs; do not edit.
#pragma once

#define SIGNALS(X) \\
${lines.join(' \\\n')}
`
writeFileSync(new URL('../native/front/signals.generated.h', import.meta.url), text)
