import { invalidParameter } from '@gantry/sdk';
import { DEFAULT_CAPABILITIES } from '@gantry/sdk/oci';

const prefixed = (names: string): string[] => names.split(' ').map((name) => `CAP_${name}`);

/** All capabilities in the kernel's order; the index is the bit. */
export const ALL_CAPABILITIES = prefixed(
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE ' +
    'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT ' +
    'SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP ' +
    'MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE',
);

/**
 * `net_admin`, `CAP_NET_ADMIN` and `all` in canonical form.
 *
 * @param field `CapAdd` or `CapDrop`, for the message
 * @throws invalid-parameter  an unknown capability
 */
export function normalizeCapabilities(names: readonly string[], field: string): string[] {
  return names.map((name) => {
    const upper = name.trim().toUpperCase();
    if (upper === 'ALL') return 'ALL';
    const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
    if (!ALL_CAPABILITIES.includes(full)) throw invalidParameter(`invalid ${field}: unknown capability: "${full}"`);
    return full;
  });
}

/** The set a container runs with. `known` = what this kernel knows. */
export function resolveCapabilities(
  request: { readonly add: readonly string[]; readonly drop: readonly string[]; readonly privileged: boolean },
  known: readonly string[],
): string[] {
  if (request.privileged) return [...known];
  const add = normalizeCapabilities(request.add, 'CapAdd');
  const drop = normalizeCapabilities(request.drop, 'CapDrop');
  const isKept = (name: string) => !drop.includes(name);
  if (add.includes('ALL')) return known.filter(isKept);
  const added = add.filter((name) => known.includes(name));
  const base = drop.includes('ALL') ? [] : DEFAULT_CAPABILITIES.filter(isKept);
  return [...new Set([...base, ...added])];
}
