import { hasResolver } from './has-resolver';
import { endpointLinks } from './legacy-links';
import type { LiveSandbox } from './live-sandbox';
import type { SandboxDeps } from './sandbox-deps';

/** Tells drivers which endpoints are linked, where links are more than names: on networks without a resolver. */
export class DriverLinks {
  /** Network id → what its driver was told last. */
  private readonly told = new Map<string, string>();
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly deps: SandboxDeps) {}

  /** Resolves when the drivers know of the links as they are now. Repeatable. */
  update(sandboxes: () => readonly LiveSandbox[]): Promise<void> {
    const turn = this.running.then(() => this.tell(sandboxes()));
    this.running = turn.catch(() => undefined);
    return turn;
  }

  private async tell(sandboxes: readonly LiveSandbox[]): Promise<void> {
    const linked = sandboxes.flatMap(({ endpoints }) => endpoints.filter(({ request }) => request.links?.length));
    for (const networkId of new Set([...linked.map((endpoint) => endpoint.networkId), ...this.told.keys()])) {
      const network = this.deps.networks.byId(networkId);
      if (network === undefined || hasResolver(network)) continue;
      const links = endpointLinks(sandboxes, networkId);
      const text = JSON.stringify(links);
      if (text === (this.told.get(networkId) ?? '[]')) continue;
      const driver = await this.deps.drivers.resolve(network.driver);
      await driver.setLinks?.(networkId, links);
      if (links.length > 0) this.told.set(networkId, text);
      else this.told.delete(networkId);
    }
  }
}
