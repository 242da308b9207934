import { conflict, invalidParameter, type SandboxState, systemError } from '@gantry/sdk';
import type { Engine } from '../engine';
import type { ContainerRecord } from '../records/container-record';
import type { NamespaceChoice } from '../spec/build-spec';
import { sharedMemoryPath } from './shared-memory';
import { isAlive } from './state';

function joinedContainer(mode: string, engine: Engine) {
  return mode.startsWith('container:') ? engine.index.get(mode.slice('container:'.length)) : undefined;
}

/** The sandbox of the container whose network is shared, at the end of the chain. @throws conflict it does not run */
export function joinedSandbox(record: ContainerRecord, engine: Engine): SandboxState | undefined {
  const other = joinedContainer(record.hostConfig.NetworkMode, engine);
  if (other === undefined) return undefined;
  if (!isAlive(other.state)) throw conflict(`cannot join network of a non running container: ${other.id}`);
  const further = joinedSandbox(other.record, engine);
  return further ?? engine.networks.sandbox(other.id);
}

export function networkNamespace(record: ContainerRecord, files: SandboxState | undefined): NamespaceChoice {
  if (record.hostConfig.NetworkMode === 'host') return 'host';
  return files?.key === undefined ? 'host' : { path: files.key };
}

/**
 * A namespace of its own, the host's, or another container's.
 *
 * @throws not-found         there is no such container
 * @throws conflict, system  it does not run: which of the two is dockerd's choice for IPC and for the others
 */
export function joinable(mode: string, type: 'pid' | 'ipc' | 'uts', engine: Engine): NamespaceChoice {
  if (mode === 'host') return 'host';
  const other = joinedContainer(mode, engine);
  if (other === undefined) return 'private';
  if (!isAlive(other.state)) {
    const message = `failed to join ${type.toUpperCase()} namespace: container ${other.id} is not running`;
    throw type === 'ipc' ? conflict(message) : systemError(message);
  }
  return { path: `/proc/${other.state.pid}/ns/${type}` };
}

export function utsNamespace(record: ContainerRecord, engine: Engine): NamespaceChoice {
  // Those who share a network share the host name that belongs to it.
  const other = joinedContainer(record.hostConfig.NetworkMode, engine);
  return other ? joinable(`container:${other.id}`, 'uts', engine) : 'private';
}

/** @throws invalid-parameter  the other container keeps its IPC namespace to itself */
export function ipcNamespace(record: ContainerRecord, engine: Engine): NamespaceChoice {
  const other = joinedContainer(record.hostConfig.IpcMode, engine);
  const choice = joinable(record.hostConfig.IpcMode, 'ipc', engine);
  if (other && other.record.hostConfig.IpcMode !== 'shareable')
    throw invalidParameter(
      `failed to join IPC namespace: container ${other.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
    );
  return choice;
}

/** What /dev/shm is. */
export function sharedMemory(record: ContainerRecord, engine: Engine): string | 'own' | 'none' {
  const mode = record.hostConfig.IpcMode;
  if (mode === 'host') return '/dev/shm';
  if (mode === 'none') return 'none';
  if (mode === 'shareable') return sharedMemoryPath(engine.store.directory(record.id));
  const other = joinedContainer(mode, engine);
  return other ? sharedMemoryPath(other.directory) : 'own';
}

/** Whoever shares a container's network takes on its names, from this start on. */
export function takeSharedNames({ hostConfig, config }: ContainerRecord, engine: Engine): void {
  const other = joinedContainer(hostConfig.NetworkMode, engine)?.record.config;
  if (other === undefined) return;
  config.Hostname = other.Hostname;
  config.Domainname = other.Domainname;
}
