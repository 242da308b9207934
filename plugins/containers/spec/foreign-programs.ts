import { readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { promisify } from 'node:util';

/** Second sets of system calls, by their names in seccomp profiles, and what a kernel that has them was built with. */
const builtWith: Readonly<Record<string, readonly string[]>> = {
  SCMP_ARCH_X32: ['CONFIG_X86_X32_ABI', 'CONFIG_X86_X32'],
  SCMP_ARCH_X86: ['CONFIG_IA32_EMULATION'],
  SCMP_ARCH_ARM: ['CONFIG_COMPAT'],
};

/**
 * Architectures of seccomp profiles whose system calls this kernel does not have. The OCI runtime makes the filter of
 * every architecture anew for each process it starts, which is half the time of an exec: those that no program can be
 * for are left out. A raw call of one of them then ends its caller, instead of failing with ENOSYS. A kernel that does
 * not tell how it was built counts as having them all.
 */
export async function missingArchitectures(): Promise<readonly string[]> {
  const built = await kernelConfiguration();
  if (!built.includes('CONFIG_64BIT=')) return [];
  return Object.entries(builtWith)
    .filter(([, options]) => !options.some((option) => built.includes(`${option}=y`)))
    .map(([name]) => name);
}

async function kernelConfiguration(): Promise<string> {
  const packed = await readFile('/proc/config.gz').catch(() => undefined);
  if (packed === undefined) return readFile(`/boot/config-${release()}`, 'utf8').catch(() => '');
  // Loaded here: few kernels tell it this way.
  const { gunzip } = require('node:zlib') as typeof import('node:zlib');
  return (await promisify(gunzip)(packed)).toString('utf8');
}
