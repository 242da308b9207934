import {
  EngineError,
  errorMessage,
  type ImageSummary,
  invalidParameter,
  type JsonObject,
  type OciSpec,
  type SpecHook,
  systemError,
  withDeadline,
} from '@gantry/sdk';
import { mapOf } from '@gantry/sdk/decode';
import { configDocument, endpointDocument, hostConfigDocument } from '../config/container-config';
import type { CreateRequest } from '../create/create-container';
import type { Engine } from '../engine';
import type { ContainerRecord, HookPatch } from '../records/container-record';
import { applyMergePatch, isObject, touchedPointers } from './merge-patch';

const DEFAULT_ORDER = 100;
const DEFAULT_DEADLINE_MS = 2000;
const endpointsDocument = mapOf(endpointDocument);

/** The hooks in the order they are asked. */
function inOrder(engine: Pick<Engine, 'hooks'>): [string, SpecHook][] {
  const orderOf = (hook: SpecHook) => hook.order ?? DEFAULT_ORDER;
  const named = engine.hooks.entries().map(([name, hook]): [string, SpecHook] => [shortName(name), hook]);
  return named.sort(([nameA, a], [nameB, b]) => orderOf(a) - orderOf(b) || (nameA < nameB ? -1 : 1));
}

/** `plugin/name`, where both are the same, is one. */
function shortName(name: string): string {
  const [plugin, own] = name.split('/');
  return own === undefined || own === plugin ? (plugin ?? name) : name;
}

/**
 * Lets the hooks judge and change a create request.
 *
 * @throws whatever a hook throws, with its name; deadline; invalid-parameter when it made the request unreadable
 */
export async function askCreateHooks(
  request: CreateRequest,
  image: ImageSummary,
  engine: Pick<Engine, 'hooks'>,
  signal: AbortSignal,
): Promise<{ readonly request: CreateRequest; readonly patches: readonly HookPatch[] }> {
  let current = request;
  const patches: HookPatch[] = [];
  for (const [name, hook] of inOrder(engine)) {
    const { onCreate } = hook;
    if (onCreate === undefined) continue;
    const shown = {
      name: current.name,
      image,
      config: copy(current.config),
      hostConfig: copy(current.hostConfig),
      endpoints: copy(current.endpoints),
    };
    const answer = await call(name, hook, 'create', (abort) => onCreate.call(hook, shown, abort), signal);
    if (answer === undefined || answer === null) continue;
    const { config = {}, hostConfig = {}, endpoints = {}, warnings = [] } = answer;
    current = {
      ...current,
      config: decoded(name, () => configDocument.decode(applyMergePatch(copy(current.config), config), '')),
      hostConfig: decoded(name, () =>
        hostConfigDocument.decode(applyMergePatch(copy(current.hostConfig), hostConfig), 'HostConfig'),
      ),
      endpoints: decoded(name, () =>
        endpointsDocument.decode(applyMergePatch(copy(current.endpoints), endpoints), 'EndpointsConfig'),
      ),
      warnings: [...(current.warnings ?? []), ...warnings],
    };
    const pointers = [
      ...touchedPointers(config, '/Config'),
      ...touchedPointers(hostConfig, '/HostConfig'),
      ...touchedPointers(endpoints, '/NetworkingConfig/EndpointsConfig'),
    ];
    if (pointers.includes('/Config/Image'))
      throw systemError(`spec hook ${name}: /Config/Image cannot be changed, it has been looked up`);
    if (pointers.length > 0) patches.push({ hook: name, phase: 'create', pointers });
  }
  return { request: current, patches };
}

/** What the engine itself relies on after the start. */
const RESERVED = ['/root/path', '/linux/cgroupsPath', '/process/terminal', '/ociVersion'];

/** Lets the hooks judge and change what the OCI runtime is given. @throws as askCreateHooks */
export async function askSpecHooks(
  spec: OciSpec,
  record: ContainerRecord,
  engine: Pick<Engine, 'hooks'>,
  signal: AbortSignal,
): Promise<{ readonly spec: OciSpec; readonly patches: readonly HookPatch[] }> {
  let current = spec;
  const patches: HookPatch[] = [];
  for (const [name, hook] of inOrder(engine)) {
    const { onSpec } = hook;
    if (onSpec === undefined) continue;
    const shown = {
      containerId: record.id,
      containerName: record.name,
      labels: { ...record.config.Labels },
      spec: structuredClone(current),
    };
    const patch = await call(name, hook, 'start', (abort) => onSpec.call(hook, shown, abort), signal);
    if (patch === undefined || patch === null) continue;
    if (!isObject(patch)) throw systemError(`spec hook ${name}: onSpec must return an object or undefined`);
    const pointers = touchedPointers(patch);
    const reserved = pointers.find((pointer) =>
      RESERVED.some((own) => own === pointer || own.startsWith(`${pointer}/`)),
    );
    if (reserved !== undefined) throw systemError(`spec hook ${name}: ${reserved} belongs to the engine`);
    current = applyMergePatch(copy(current), patch) as unknown as OciSpec;
    if (pointers.length > 0) patches.push({ hook: name, phase: 'start', pointers });
  }
  return { spec: current, patches };
}

async function call<T>(
  name: string,
  hook: SpecHook,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  try {
    // A hook that is no async function throws at once.
    return await withDeadline(
      `its answer to a ${what}`,
      hook.deadlineMs ?? DEFAULT_DEADLINE_MS,
      async (abort) => work(abort),
      signal,
    );
  } catch (error) {
    const kind = error instanceof EngineError ? error.kind : 'system';
    throw new EngineError(kind, `spec hook ${name}: ${errorMessage(error)}`, { cause: error });
  }
}

function decoded<T>(name: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw invalidParameter(`spec hook ${name} made the request unreadable: ${errorMessage(error)}`, error);
  }
}

const copy = (value: object): JsonObject => structuredClone(value) as JsonObject;
