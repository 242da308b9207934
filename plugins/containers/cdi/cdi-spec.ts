import { errorMessage, invalidParameter } from '@gantry/sdk';
import { type Decoded, flag, integer, listOf, mapOf, nullable, optional, struct, text } from '@gantry/sdk/decode';

// Loaded with the first specification: most machines have none, and it is the largest module of this plugin.
const loadYaml = () => require('yaml') as typeof import('yaml');

/* Files that say what a device needs in a container. @see Container Device Interface specification */

const editsDocument = struct({
  env: listOf(text),
  deviceNodes: listOf(
    struct({
      path: text,
      hostPath: text,
      type: text,
      major: nullable(integer),
      minor: nullable(integer),
      fileMode: nullable(integer),
      permissions: text,
      uid: nullable(integer),
      gid: nullable(integer),
    }),
  ),
  hooks: listOf(
    struct({ hookName: text, path: text, args: listOf(text), env: listOf(text), timeout: optional(integer) }),
  ),
  mounts: listOf(struct({ hostPath: text, containerPath: text, type: text, options: listOf(text) })),
  additionalGids: listOf(integer),
  intelRdt: nullable(
    struct({
      closID: text,
      l3CacheSchema: text,
      memBwSchema: text,
      enableCMT: flag,
      enableMBM: flag,
    }),
  ),
});
export type ContainerEdits = Decoded<typeof editsDocument>;

const specDocument = struct({
  cdiVersion: text,
  kind: text,
  annotations: optional(mapOf(text)),
  devices: listOf(struct({ name: text, annotations: optional(mapOf(text)), containerEdits: editsDocument })),
  containerEdits: editsDocument,
});
export type CdiSpec = Decoded<typeof specDocument>;

const KIND = /^[A-Za-z]([\w.-]*[A-Za-z0-9])?\/[A-Za-z]([\w.-]*[A-Za-z0-9])?$/;
const DEVICE = /^[A-Za-z0-9]([\w.:-]*[A-Za-z0-9])?$/;
const HOOKS = new Set(['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop']);

/** `vendor.com/class=name`. */
export function isDeviceName(name: string): boolean {
  const separator = name.indexOf('=');
  return separator > 0 && KIND.test(name.slice(0, separator)) && DEVICE.test(name.slice(separator + 1));
}

/** @param content of a `.json`, `.yaml` or `.yml` file. @throws invalid-parameter saying what is wrong */
export function parseCdiSpec(content: string, path: string): CdiSpec {
  let value: unknown;
  try {
    value = path.endsWith('.json') ? JSON.parse(content) : loadYaml().parse(content);
  } catch (error) {
    throw invalidParameter(`cannot be read: ${errorMessage(error)}`, error);
  }
  const spec = specDocument.decode(value, '');
  if (!/^v?\d+\.\d+\.\d+/.test(spec.cdiVersion)) throw invalidParameter('cdiVersion is missing');
  if (!KIND.test(spec.kind)) throw invalidParameter(`kind "${spec.kind}" is not of the form vendor.com/class`);
  const names = new Set<string>();
  for (const { name, containerEdits } of spec.devices) {
    if (!DEVICE.test(name)) throw invalidParameter(`device name "${name}" is not valid`);
    if (names.has(name)) throw invalidParameter(`device "${name}" is there twice`);
    names.add(name);
    checkEdits(containerEdits);
  }
  checkEdits(spec.containerEdits);
  return spec;
}

function checkEdits({ env, deviceNodes, hooks, mounts }: ContainerEdits): void {
  for (const entry of env)
    if (!/^[^=]+=/s.test(entry)) throw invalidParameter(`environment "${entry}" is not of the form NAME=value`);
  for (const { path, type, permissions } of deviceNodes) {
    if (path === '') throw invalidParameter('a device node has no path');
    if (!['', 'b', 'c', 'u', 'p'].includes(type))
      throw invalidParameter(`device node ${path}: type "${type}" is unknown`);
    if (!/^[rwm]*$/.test(permissions))
      throw invalidParameter(`device node ${path}: permissions "${permissions}" are not valid`);
  }
  for (const { hookName, path } of hooks) {
    if (!HOOKS.has(hookName)) throw invalidParameter(`hook "${hookName}" is unknown`);
    if (path === '') throw invalidParameter(`hook "${hookName}" has no path`);
  }
  for (const { hostPath, containerPath } of mounts)
    if (hostPath === '' || containerPath === '') throw invalidParameter('a mount lacks hostPath or containerPath');
}
