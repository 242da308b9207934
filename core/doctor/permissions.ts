import { type Look, missing, ok, warn } from './finding';
import type { Machine } from './machine';

/** Bits of capabilities without which no container starts. @see capabilities(7) */
const neededCapabilities = {
  CAP_CHOWN: 0,
  CAP_KILL: 5,
  CAP_SETUID: 7,
  CAP_NET_ADMIN: 12,
  CAP_SYS_CHROOT: 18,
  CAP_SYS_ADMIN: 21,
  CAP_MKNOD: 27,
};
const enoughFiles = 65_536;

export async function lookAtPermissions(machine: Machine): Promise<Look[]> {
  const looks: Look[] = [
    machine.uid === 0
      ? ok('root', 'yes')
      : missing('root', `user ${machine.uid}`, 'start the daemon as root; this report sees more as root, too'),
  ];
  if (machine.uid === 0) looks.push(await capabilities(machine));
  looks.push(await openFiles(machine));
  looks.push(await securityModules(machine));
  return looks;
}

async function capabilities(machine: Machine): Promise<Look> {
  const name = 'capabilities';
  const status = (await machine.read('/proc/self/status')) ?? '';
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  const lacking = Object.entries(neededCapabilities)
    .filter(([, bit]) => !((effective >> BigInt(bit)) & 1n))
    .map(([each]) => each);
  if (lacking.length === 0) return ok(name, 'all that are needed');
  return missing(name, `without ${lacking.join(', ')}`, 'inside a container give it --privileged');
}

async function openFiles(machine: Machine): Promise<Look> {
  const name = 'open files';
  const limits = (await machine.read('/proc/self/limits')) ?? '';
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1] ?? 'unknown';
  if (hard === 'unlimited' || Number(hard) >= enoughFiles) return ok(name, `up to ${hard}`);
  return warn(
    name,
    `up to ${hard}`,
    `for many containers set LimitNOFILE=infinity in the unit, or ulimit -n ${enoughFiles}`,
  );
}

async function securityModules(machine: Machine): Promise<Look> {
  const list = (await machine.read('/sys/kernel/security/lsm'))?.trim();
  return ok('security modules', list || 'none visible');
}
