import { type EndpointLink, invalidParameter } from '@gantry/sdk';
import type { EndpointRecord } from '../records/sandbox-record';
import type { HostsEntry } from './hosts-file';
import type { LiveSandbox } from './live-sandbox';

/**
 * `--link` on the default bridge, where nobody answers names: entries for the hosts file.
 * @param isLegacy whether an endpoint's network has no resolver
 * @throws invalid-parameter a linked container does not run
 */
export function linkedHosts(
  sandbox: LiveSandbox,
  others: readonly LiveSandbox[],
  isLegacy: (endpoint: EndpointRecord) => boolean,
): HostsEntry[] {
  return sandbox.endpoints.filter(isLegacy).flatMap((endpoint) =>
    linksOf(endpoint).map(({ container, alias }) => {
      const target = others.find((other) => isNamed(other, container));
      const there = target?.endpoints.find((one) => one.networkId === endpoint.networkId);
      if (target === undefined || there === undefined)
        throw invalidParameter(
          `Cannot link to a non running container: /${container} AS /${sandbox.request.containerName}/${alias}`,
        );
      const { hostname, containerName } = target.request;
      const names = [alias, hostname, ...(alias === containerName ? [] : [containerName])].filter(Boolean);
      return { address: there.address.split('/')[0]!, names: names.join(' ') };
    }),
  );
}

/** Endpoints of a network that are linked to others of it, with the ports those expose. */
export function endpointLinks(sandboxes: readonly LiveSandbox[], networkId: string): EndpointLink[] {
  const on = (sandbox: LiveSandbox) => sandbox.endpoints.find((one) => one.networkId === networkId);
  return sandboxes.flatMap((sandbox) => {
    const from = on(sandbox);
    if (from === undefined) return [];
    return linksOf(from).flatMap(({ container }) => {
      const target = sandboxes.find((other) => isNamed(other, container));
      const to = target && on(target);
      if (target === undefined || to === undefined) return [];
      return [{ from: from.endpointId, to: to.endpointId, ports: target.request.exposedPorts }];
    });
  });
}

/** Whether a sandbox is linked to the container of another. */
export function isLinkedTo(sandbox: LiveSandbox, other: LiveSandbox): boolean {
  return sandbox.endpoints.some((endpoint) => linksOf(endpoint).some(({ container }) => isNamed(other, container)));
}

function linksOf(endpoint: EndpointRecord): { readonly container: string; readonly alias: string }[] {
  return (endpoint.request.links ?? []).map((link) => {
    const [container = '', alias = container] = link.replace(/^\//, '').split(':');
    return { container, alias: alias.split('/').at(-1)! };
  });
}

function isNamed(sandbox: LiveSandbox, reference: string): boolean {
  const { containerName, containerId } = sandbox.request;
  return containerName === reference || (reference.length >= 12 && containerId.startsWith(reference));
}
