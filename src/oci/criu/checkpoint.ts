import { join } from 'node:path'
import { lockFile } from '../../kernel/index.ts'
import { createContext, type RuntimeOptions } from '../create-runtime.ts'
import { deleteContainer } from '../delete-container.ts'
import { containerDirectory } from '../state/directory.ts'
import { observe } from '../state/observe.ts'
import { recordFiles } from '../state/record.ts'
import { dumpContainer, pidOf } from './dump.ts'
import type { CheckpointOptions } from './options.ts'

/**
 * Writes a container's processes to files. Afterwards it is gone, as with runc, unless it is left running or only its
 * memory was dumped.
 */
export async function checkpointContainer(
  options: RuntimeOptions,
  id: string,
  wanted: CheckpointOptions & { criu: string },
): Promise<void> {
  const context = createContext(options)
  const directory = containerDirectory(context.stateRoot, id)
  pidOf(observe(directory, id))
  using _lock = await lockFile(join(directory, recordFiles.lock))
  await dumpContainer(id, directory, wanted)
  if (!wanted.preDump && !wanted.leaveRunning) await deleteContainer(context, id, directory, true)
}
