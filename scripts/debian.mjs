// Debian packages without installing them: nothing of the host changes and no service starts.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** What scripts download and build; `make clean` removes it. */
export const cache = fileURLToPath(new URL('../.cache', import.meta.url))

const unpackedMark = '.unpacked'

/**
 * Downloads the packages (once) and unpacks each over `folder`; symbolic links that are there are kept. `release`:
 * of another release of Debian than the host's (`trixie`), from the archive that the host itself uses.
 */
export async function unpackPackages(names, folder, release) {
  if (existsSync(join(folder, unpackedMark))) return folder
  const downloads = await downloadOnce(names, release)
  await mkdir(folder, { recursive: true })
  for (const file of (await readdir(downloads)).filter((name) => name.endsWith('.deb')))
    await run('sh', [
      '-c',
      'dpkg-deb --fsys-tarfile "$0" | tar -x --keep-directory-symlink -C "$1"',
      join(downloads, file),
      folder,
    ])
  await writeFile(join(folder, unpackedMark), '')
  return folder
}

/** As `unpackPackages`, whole or not at all, whoever else does the same at this moment. */
export async function unpackOnce(names, folder, release) {
  if (existsSync(join(folder, unpackedMark))) return folder
  await mkdir(dirname(folder), { recursive: true })
  const half = await mkdtemp(`${folder}-`)
  try {
    await unpackPackages(names, half, release)
    await rename(half, folder)
  } catch (error) {
    // Somebody else was first: theirs is as good.
    if (!existsSync(join(folder, unpackedMark))) throw error
  } finally {
    await rm(half, { recursive: true, force: true })
  }
  return folder
}

/** The folder that holds exactly these packages; whoever comes second in a race takes the first one's. */
async function downloadOnce(names, release) {
  const folder = join(
    cache,
    'debs',
    `${release === undefined ? '' : `${release}-`}${names.join('+')}`.slice(0, 200),
  )
  if (existsSync(folder)) return folder
  await mkdir(join(cache, 'debs'), { recursive: true })
  const half = await mkdtemp(`${folder}-`)
  try {
    await download(names, half, release)
    await rename(half, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
  } finally {
    await rm(half, { recursive: true, force: true })
  }
  return folder
}

async function download(names, folder, release) {
  const other = release === undefined ? [] : await releaseOptions(release)
  // apt drops to the user _apt to download, which cannot write below a private folder: stay root.
  const args = ['-o', 'APT::Sandbox::User=root', ...other, 'download', '-qq', ...names]
  try {
    await run('apt-get', args, folder)
  } catch {
    await run('apt-get', ['-o', 'APT::Sandbox::User=root', ...other, 'update', '-qq'], folder)
    await run('apt-get', args, folder)
  }
}

/** Lists and packages of another release are kept apart, so that the host's own apt never hears of them. */
async function releaseOptions(release) {
  const place = join(cache, `apt-${release}`)
  for (const part of ['lists/partial', 'archives/partial'])
    await mkdir(join(place, part), { recursive: true })
  const sources = join(place, 'sources.list')
  await writeFile(sources, `deb [signed-by=${keyring}] ${await hostArchive()} ${release} main\n`)
  const settings = {
    'Dir::Etc::sourcelist': sources,
    'Dir::Etc::sourceparts': '-',
    'Dir::State::lists': join(place, 'lists'),
    'Dir::State::status': '/dev/null',
    'Dir::Cache': place,
  }
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
}

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** Where the host gets its own packages from. */
async function hostArchive() {
  const query = ['indextargets', '--format', '$(REPO_URI)', 'Origin: Debian', 'Label: Debian']
  const { stdout } = await promisify(execFile)('apt-get', query)
  const [archive] = stdout.trim().split('\n')
  if (!archive) throw new Error('apt knows no archive of Debian')
  return archive
}

async function run(command, args, cwd) {
  try {
    await promisify(execFile)(command, args, { cwd, maxBuffer: 16 * 2 ** 20 })
  } catch (error) {
    const lines = String(error.stderr ?? '')
      .trim()
      .split('\n')
    throw new Error(`${command} ${args.join(' ')}: ${lines.slice(-2).join(' / ') || error.message}`, {
      cause: error,
    })
  }
}
