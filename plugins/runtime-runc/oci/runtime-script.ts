import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram, type OciVersion } from './oci-binary';

/** The program itself, or a script in front of it where it needs arguments or another view of the machine. */
export async function scriptFor(
  name: string,
  path: string,
  args: readonly string[],
  version: OciVersion,
  directory: string,
): Promise<string> {
  const hidden = version.name === 'crun' ? await hybridMount() : undefined;
  if (args.length === 0 && hidden === undefined) return path;
  const text = hidden === undefined ? plainScript(path, args) : await hidingScript(path, args, hidden);
  await mkdir(directory, { recursive: true, mode: 0o711 });
  const script = join(directory, name);
  await writeFile(script, text);
  await chmod(script, 0o700);
  return script;
}

function plainScript(path: string, args: readonly string[]): string {
  return `#!/bin/sh\nexec ${[path, ...args].map(quote).join(' ')} "$@"\n`;
}

/** System call numbers of unshare, mount and umount2. */
const callNumbers: Partial<Record<NodeJS.Architecture, readonly [number, number, number]>> = {
  x64: [272, 165, 166],
  arm64: [97, 40, 39],
};

/**
 * crun refuses a machine whose version 2 hierarchy owns controllers beside version 1. It finds none in a mount
 * namespace of its own; making the parent private first keeps the change from the machine's.
 */
async function hidingScript(path: string, args: readonly string[], hidden: string): Promise<string> {
  const parent = join(hidden, '..');
  const numbers = callNumbers[process.arch];
  const perl = await findProgram('/usr/bin/perl');
  if (perl !== undefined && numbers !== undefined) {
    // One program instead of five: it runs with every call of the runtime.
    const [unshare, mount, unmount] = numbers;
    return [
      `#!${perl}`,
      `my ($none, $parent, $hidden) = ('none', ${perlQuote(parent)}, ${perlQuote(hidden)});`,
      `syscall(${unshare}, 0x20000) == 0 or die "unshare: $!\\n";`,
      `syscall(${mount}, $none, $parent, 0, 1 << 18, 0);`,
      `syscall(${unmount}, $hidden, 0) == 0 or die "unmount $hidden: $!\\n";`,
      `exec(${[path, ...args].map(perlQuote).join(', ')}, @ARGV) or die "exec: $!\\n";`,
      '',
    ].join('\n');
  }
  return [
    '#!/bin/sh',
    `[ "$GANTRY_UNSHARED" ] || GANTRY_UNSHARED=1 exec unshare --mount --propagation unchanged /bin/sh "$0" "$@"`,
    `mount --make-private ${quote(parent)} 2>/dev/null`,
    `umount ${quote(hidden)} || exit 1`,
    'unset GANTRY_UNSHARED',
    `exec ${[path, ...args].map(quote).join(' ')} "$@"`,
    '',
  ].join('\n');
}

/** The mount point of the version 2 hierarchy, where it has controllers beside version 1. */
async function hybridMount(): Promise<string | undefined> {
  const mount = '/sys/fs/cgroup/unified';
  try {
    return (await readFile(join(mount, 'cgroup.controllers'), 'utf8')).trim() === '' ? undefined : mount;
  } catch {
    return undefined;
  }
}

const perlQuote = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`;
const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
