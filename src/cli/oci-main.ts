/** keelson-oci as Node starts it (see oci/program.ts). */
import { main } from './oci/program.ts'

// Nothing that is still open (a pipe, a timer) may keep the caller waiting.
void main(process.argv.slice(2)).then((code) => process.exit(code))
