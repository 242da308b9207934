import { join } from 'node:path';
import {
  CleanupStack,
  cancelled,
  type EndpointRequest,
  errorMessage,
  KeyedLock,
  notFound,
  type SandboxRequest,
} from '@gantry/sdk';
import type { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import { removeNetworkNamespace } from '@gantry/sdk/linux/network-namespaces';
import { getLink } from '@gantry/sdk/linux/rtnetlink';
import { SandboxNames } from '../dns/sandbox-names';
import { isOwnIpam } from '../ipam/request-replay';
import { newId } from '../networks/network-id';
import type { EndpointRecord, SandboxRecord } from '../records/sandbox-record';
import { attachEndpoint, dnsNames } from './attach-endpoint';
import { detachEndpoint } from './detach-endpoint';
import { DriverLinks } from './driver-links';
import { replayAddresses } from './endpoint-addresses';
import { askAboutEndpoints } from './endpoint-info';
import { revokeExternal, updateExternal } from './external-connectivity';
import { keepsOwnBooks } from './foreign-drivers';
import { settleGatewayNetwork } from './gateway-network';
import { createSandboxNamespace, openSandboxNetlink } from './interface-setup';
import { isLinkedTo } from './legacy-links';
import { type LiveSandbox, recordOf } from './live-sandbox';
import type { SandboxDeps } from './sandbox-deps';
import { recallSandboxFiles, writeHosts, writeSandboxFiles } from './sandbox-files';

/** The sandboxes of running containers. Work on one container's sandbox runs one after the other. */
export class Sandboxes {
  private readonly live = new Map<string, LiveSandbox>();
  private readonly locks = new KeyedLock();
  /** Work that goes on after `close` has answered, by container. */
  private readonly tails = new Map<string, Promise<void>>();

  private readonly names: SandboxNames;
  private readonly links: DriverLinks;

  constructor(private readonly deps: SandboxDeps) {
    this.links = new DriverLinks(deps);
    this.names = new SandboxNames(deps.networks, deps.log);
  }

  get(containerId: string): LiveSandbox | undefined {
    return this.live.get(containerId);
  }

  list(): LiveSandbox[] {
    return [...this.live.values()];
  }

  async open(request: SandboxRequest, signal: AbortSignal): Promise<LiveSandbox> {
    return this.locks.run(
      request.containerId,
      async () => {
        // A start that follows a crash in the middle of the last one finds what that left.
        await this.closeNow(request.containerId);
        await this.tails.get(request.containerId);
        const sandboxId = newId();
        const key = request.kind === 'host' ? undefined : join(this.deps.namespaceDir, sandboxId.slice(0, 12));
        const sandbox: LiveSandbox = {
          sandboxId,
          key,
          request,
          endpoints: [],
          pending: new Map(),
          upstreams: [],
          written: new Map(),
        };
        const undo = new CleanupStack();
        this.live.set(request.containerId, sandbox);
        undo.push(() => void this.live.delete(request.containerId));
        try {
          await this.build(sandbox, undo, signal);
          return sandbox;
        } catch (error) {
          await this.undo(undo, sandbox);
          throw error;
        }
      },
      signal,
    );
  }

  async close(containerId: string): Promise<void> {
    await this.locks.run(containerId, () => this.closeNow(containerId));
  }

  /** Gives up the resolvers' sockets; the sandboxes live on. */
  stop(): void {
    this.names.close();
  }

  /** Resolves when nothing of closed sandboxes is left in the kernel or the books. */
  async settled(): Promise<void> {
    await Promise.all(this.tails.values());
  }

  async connect(containerId: string, request: EndpointRequest): Promise<LiveSandbox> {
    return this.locks.run(containerId, async () => {
      const sandbox = this.required(containerId);
      const undo = new CleanupStack();
      const socket = sandbox.key === undefined ? undefined : openSandboxNetlink(sandbox.key);
      try {
        const endpoint = await attachEndpoint(this.deps, sandbox, request, socket, undo);
        await this.settle(sandbox, socket, undo);
        this.publish(sandbox, endpoint.networkId, 'connect');
        return sandbox;
      } catch (error) {
        await this.undo(undo, sandbox);
        // Back to the gateway, ports, names and files of the endpoints that were there before.
        await this.settle(sandbox, socket, new CleanupStack());
        throw error;
      } finally {
        socket?.close();
      }
    });
  }

  async disconnect(containerId: string, networkId: string, force: boolean): Promise<LiveSandbox | undefined> {
    return this.locks.run(containerId, async () => {
      const sandbox = this.live.get(containerId);
      const endpoint = sandbox?.endpoints.find((one) => one.networkId === networkId);
      if (sandbox === undefined || endpoint === undefined) {
        if (force) return sandbox;
        const name = this.deps.networks.byId(networkId)?.name ?? networkId;
        throw notFound(`container ${containerId} is not connected to network ${name}`);
      }
      const socket = sandbox.key === undefined ? undefined : openSandboxNetlink(sandbox.key);
      try {
        await detachEndpoint(this.deps, sandbox, endpoint);
        await this.settle(sandbox, socket, new CleanupStack());
      } finally {
        socket?.close();
      }
      this.publish(sandbox, networkId, 'disconnect');
      return sandbox;
    });
  }

  /** The container is found by its new name from now on. */
  async rename(containerId: string, name: string): Promise<void> {
    await this.locks.run(containerId, async () => {
      const sandbox = this.live.get(containerId);
      if (sandbox === undefined) return;
      sandbox.request = { ...sandbox.request, containerName: name };
      sandbox.endpoints = sandbox.endpoints.map((endpoint) => {
        const network = this.deps.networks.byId(endpoint.networkId);
        return network ? { ...endpoint, dnsNames: dnsNames(sandbox, network, endpoint.request) } : endpoint;
      });
      await this.names.update(sandbox);
      await this.deps.store.save(containerId, recordOf(sandbox));
    });
  }

  /** After a restart: takes over a sandbox whose container still runs. */
  async adopt(record: SandboxRecord): Promise<void> {
    const { sandboxId, key, request, endpoints } = record;
    const sandbox: LiveSandbox = {
      sandboxId,
      key,
      request,
      endpoints: [...endpoints],
      pending: new Map(),
      upstreams: [],
      written: new Map(),
    };
    this.live.set(request.containerId, sandbox);
    for (const endpoint of endpoints) {
      const network = this.deps.networks.byId(endpoint.networkId);
      if (network === undefined || !isOwnIpam(network.ipam.driver)) continue;
      const addresses = { ipv4: endpoint.address, ipv6: endpoint.addressIPv6 };
      await replayAddresses(await this.deps.ipam(network.ipam.driver), network, addresses);
    }
    await recallSandboxFiles(this.deps, sandbox, this.list());
    await this.names.update(sandbox);
  }

  /** What drivers of others still hold for a container that ended unseen; `close` gives it back. */
  adoptEnded({ sandboxId, request }: SandboxRecord, endpoints: readonly EndpointRecord[]): void {
    this.live.set(request.containerId, {
      sandboxId,
      key: undefined,
      request,
      endpoints: [...endpoints],
      pending: new Map(),
      upstreams: [],
      written: new Map(),
    });
  }

  /** After a restart: drops endpoints whose interface is gone, as when a disconnect was cut short by a crash. */
  async repair(): Promise<void> {
    await this.links.update(() => this.list());
    for (const { request } of this.list())
      await this.locks.run(request.containerId, async () => {
        const sandbox = this.live.get(request.containerId);
        if (sandbox?.key === undefined) return;
        const socket = openSandboxNetlink(sandbox.key);
        try {
          const lost = sandbox.endpoints.filter(
            ({ interfaceName }) => interfaceName !== '' && getLink(socket, interfaceName) === undefined,
          );
          if (lost.length === 0) return;
          for (const endpoint of lost) await detachEndpoint(this.deps, sandbox, endpoint);
          await this.settle(sandbox, socket, new CleanupStack());
        } catch (error) {
          this.deps.log.error('a sandbox could not be repaired', {
            container: request.containerId,
            error: errorMessage(error),
          });
        } finally {
          socket.close();
        }
      });
  }

  private async build(sandbox: LiveSandbox, undo: CleanupStack, signal: AbortSignal): Promise<void> {
    const { key, request } = sandbox;
    let socket: NetlinkSocket | undefined;
    if (key !== undefined) {
      createSandboxNamespace(key);
      undo.push(() => removeNetworkNamespace(key));
      socket = openSandboxNetlink(key);
    }
    try {
      for (const endpoint of request.endpoints) {
        if (signal.aborted) throw cancelled('starting the container was cancelled', signal.reason);
        await attachEndpoint(this.deps, sandbox, endpoint, socket, undo);
      }
      undo.push(() => this.deps.store.remove(request.containerId));
      undo.push(() => this.names.remove(sandbox));
      await this.settle(sandbox, socket, undo);
    } finally {
      socket?.close();
    }
    for (const other of this.list().filter((one) => one !== sandbox && isLinkedTo(one, sandbox)))
      await writeHosts(this.deps, other, this.list());
    await this.links.update(() => this.list());
    for (const endpoint of sandbox.endpoints) this.publish(sandbox, endpoint.networkId, 'connect');
  }

  /** Gateway, ports, files, names and record after the endpoints of a sandbox changed. */
  private async settle(sandbox: LiveSandbox, socket: NetlinkSocket | undefined, undo: CleanupStack): Promise<void> {
    await settleGatewayNetwork(this.deps, sandbox, socket, undo);
    const files = writeSandboxFiles(this.deps, sandbox, this.list()).then(() => this.names.update(sandbox));
    files.catch(() => undefined); // Awaited below, also when the ports fail first.
    try {
      await updateExternal(this.deps, sandbox, socket, undo);
      await askAboutEndpoints(this.deps, sandbox);
      await this.deps.store.save(sandbox.request.containerId, recordOf(sandbox));
    } finally {
      await files;
    }
  }

  private async closeNow(containerId: string): Promise<void> {
    const sandbox = this.live.get(containerId);
    if (sandbox === undefined) return;
    await revokeExternal(this.deps, sandbox);
    this.names.remove(sandbox);
    if (sandbox.key !== undefined) removeNetworkNamespace(sandbox.key);
    // What others hold for it is on record until they have given it up.
    const isForeign = sandbox.endpoints.some(({ networkId }) => keepsOwnBooks(this.deps, networkId));
    if (!isForeign) await this.deps.store.remove(containerId);
    this.live.delete(containerId);
    await this.links.update(() => this.list());
    for (const endpoint of sandbox.endpoints) this.publish(sandbox, endpoint.networkId, 'disconnect');
    // The kernel needs a moment to take the interfaces down; their addresses are given back when it has.
    const tail = this.detachAll(sandbox, isForeign).finally(() => {
      if (this.tails.get(containerId) === tail) this.tails.delete(containerId);
    });
    this.tails.set(containerId, tail);
  }

  private async detachAll(sandbox: LiveSandbox, isForeign: boolean): Promise<void> {
    for (const endpoint of [...sandbox.endpoints].reverse()) await detachEndpoint(this.deps, sandbox, endpoint);
    if (isForeign) await this.deps.store.remove(sandbox.request.containerId);
  }

  private async undo(undo: CleanupStack, sandbox: LiveSandbox): Promise<void> {
    for (const failure of await undo.runAll())
      this.deps.log.error('undoing a sandbox failed', {
        container: sandbox.request.containerId,
        error: errorMessage(failure),
      });
  }

  private required(containerId: string): LiveSandbox {
    const sandbox = this.live.get(containerId);
    if (sandbox === undefined) throw notFound(`container ${containerId} has no network sandbox: it is not running`);
    return sandbox;
  }

  private publish(sandbox: LiveSandbox, networkId: string, action: 'connect' | 'disconnect'): void {
    const network = this.deps.networks.byId(networkId);
    if (network === undefined) return;
    this.deps.events.publish({
      type: 'network',
      action,
      actor: {
        id: network.id,
        attributes: { container: sandbox.request.containerId, name: network.name, type: network.driver },
      },
      scope: 'local',
    });
  }
}
