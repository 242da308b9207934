/** What the text of the default profile depends on. */
export interface ProfileSetting {
  readonly name: string;
  /** The profile of the daemon itself, whose signals containers take. */
  readonly daemonProfile: string;
  /** What the machine's policy folder has. */
  readonly has: { readonly abi3: boolean; readonly tunables: boolean; readonly baseAbstraction: boolean };
}

/**
 * The policy of containers that name none: everything a file system, network or capability check allows, but no
 * mounting, no writing to the kernel's settings, and signals and tracing only among themselves.
 *
 * @see apparmor.d(5); the rules are those of dockerd's profile of the same name
 */
export function defaultProfile({ name, daemonProfile, has }: ProfileSetting): string {
  const deny = (path: string, access: string) => `  deny ${path} ${access},`;
  const senders = [...new Set(['unconfined', 'runc', 'crun', daemonProfile])];
  return [
    // From version 4 on "network" means fewer families to those who do not say which rules they were written for.
    ...(has.abi3 ? ['abi <abi/3.0>,'] : []),
    has.tunables ? '#include <tunables/global>' : '@{PROC}=/proc/',
    '',
    `profile ${name} flags=(attach_disconnected,mediate_deleted) {`,
    ...(has.baseAbstraction ? ['  #include <abstractions/base>'] : []),
    '  network,',
    '  capability,',
    '  file,',
    '  umount,',
    ...senders.map((peer) => `  signal (receive) peer=${quoted(peer)},`),
    `  signal (send,receive) peer=${name},`,
    `  ptrace (trace,read,tracedby,readby) peer=${name},`,
    '  deny mount,',
    // Below /proc only the folders of processes and sys/kernel/shm* may be written to.
    deny('@{PROC}/*', 'w'),
    deny('@{PROC}/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9/]*}/**', 'w'),
    deny('@{PROC}/sys/[^k]**', 'w'),
    deny('@{PROC}/sys/kernel/{?,??,[^s][^h][^m]**}', 'w'),
    deny('@{PROC}/sysrq-trigger', 'rwklx'),
    deny('@{PROC}/kcore', 'rwklx'),
    // Below /sys only the control groups.
    deny('/sys/[^f]*/**', 'wklx'),
    deny('/sys/f[^s]*/**', 'wklx'),
    deny('/sys/fs/[^c]*/**', 'wklx'),
    deny('/sys/fs/c[^g]*/**', 'wklx'),
    deny('/sys/fs/cg[^r]*/**', 'wklx'),
    deny('/sys/firmware/**', 'rwklx'),
    deny('/sys/devices/virtual/powercap/**', 'rwklx'),
    deny('/sys/kernel/security/**', 'rwklx'),
    '}',
    '',
  ].join('\n');
}

const quoted = (profile: string) => (/^[\w./-]+$/.test(profile) ? profile : JSON.stringify(profile));
