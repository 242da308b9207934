import { stat } from 'node:fs/promises';
import { type OciSpec, systemError } from '@gantry/sdk';
import { deviceNumbers } from '@gantry/sdk/oci';
import type { Device } from '../spec/devices';
import type { CdiDevices } from './cdi-devices';
import type { ContainerEdits } from './cdi-spec';

/**
 * Puts devices into a spec.
 *
 * @throws system  a name no file describes, or a device node the host does not have
 */
export async function injectCdiDevices(spec: OciSpec, names: readonly string[], devices: CdiDevices): Promise<void> {
  const unknown = names.filter((name) => !devices.edits.has(name));
  if (unknown.length > 0)
    throw systemError(
      `CDI device injection failed: unresolvable CDI devices ${unknown.join(', ')}${devices.problems.length > 0 ? ` (${devices.problems.join('; ')})` : ''}`,
    );
  const seen = new Set<ContainerEdits>();
  for (const name of names)
    for (const edits of devices.edits.get(name) ?? []) {
      // What a file says for all its devices is done once.
      if (!seen.has(edits)) await applyEdits(spec, edits);
      seen.add(edits);
    }
  spec.mounts.sort((a, b) => depth(a.destination) - depth(b.destination));
}

const depth = (path: string): number => path.split('/').filter(Boolean).length;

async function applyEdits(spec: OciSpec, edits: ContainerEdits): Promise<void> {
  for (const entry of edits.env) {
    const name = entry.slice(0, entry.indexOf('=') + 1);
    spec.process.env = [...spec.process.env.filter((other) => !other.startsWith(name)), entry];
  }
  for (const node of edits.deviceNodes) await addDevice(spec, node);
  for (const { hostPath, containerPath, type, options } of edits.mounts) {
    spec.mounts = spec.mounts.filter(({ destination }) => destination !== containerPath);
    spec.mounts.push({ destination: containerPath, source: hostPath, type: type || 'bind', options: [...options] });
  }
  for (const { hookName, path, args, env, timeout } of edits.hooks) {
    spec.hooks ??= {};
    spec.hooks[hookName] = [
      ...(spec.hooks[hookName] ?? []),
      { path, args: [...args], env: [...env], ...(timeout === undefined ? {} : { timeout }) },
    ];
  }
  const { user } = spec.process;
  for (const gid of edits.additionalGids)
    if (gid > 0 && !user.additionalGids?.includes(gid)) user.additionalGids = [...(user.additionalGids ?? []), gid];
  if (edits.intelRdt) {
    const given = Object.entries(edits.intelRdt).filter(([, value]) => value !== '' && value !== false);
    spec.linux.intelRdt = Object.fromEntries(given);
  }
}

async function addDevice(spec: OciSpec, node: ContainerEdits['deviceNodes'][number]): Promise<void> {
  const device = await complete(node, spec);
  const { linux } = spec;
  linux.devices = [...(linux.devices ?? []).filter(({ path }) => path !== device.path), device];
  if (device.type !== 'b' && device.type !== 'c') return;
  linux.resources ??= {};
  linux.resources.devices = [
    ...(linux.resources.devices ?? []),
    { allow: true, type: device.type, major: device.major, minor: device.minor, access: node.permissions || 'rwm' },
  ];
}

/** What the file leaves open is as it is on the host. */
async function complete(node: ContainerEdits['deviceNodes'][number], spec: OciSpec): Promise<Device> {
  const { path, fileMode } = node;
  const { uid, gid } = spec.process.user;
  const owner = {
    ...(fileMode === null ? {} : { fileMode }),
    uid: node.uid ?? uid,
    gid: node.gid ?? gid,
  };
  if (node.type === 'p') return { path, type: 'p', ...owner };
  if (node.type !== '' && node.major !== null && node.minor !== null)
    return { path, type: node.type, major: node.major, minor: node.minor, ...owner };
  const hostPath = node.hostPath || path;
  const info = await stat(hostPath).catch((error: unknown) => {
    throw systemError(
      `CDI device injection failed: failed to stat CDI host device "${hostPath}": no such file or directory`,
      error,
    );
  });
  if (!info.isBlockDevice() && !info.isCharacterDevice())
    throw systemError(`CDI device injection failed: "${hostPath}" is not a device node`);
  return {
    path,
    type: info.isBlockDevice() ? 'b' : 'c',
    ...deviceNumbers(info.rdev),
    fileMode: info.mode & 0o7777,
    ...owner,
  };
}
