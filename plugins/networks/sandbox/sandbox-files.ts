import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasResolver } from './has-resolver';
import { extraHosts, type HostsEntry, hostsFile, ownNames } from './hosts-file';
import { linkedHosts } from './legacy-links';
import type { LiveSandbox } from './live-sandbox';
import {
  embeddedResolvConf,
  hostResolvConf,
  legacyResolvConf,
  parseResolvConf,
  type RenderedResolvConf,
  type ResolvConf,
} from './resolv-conf';
import type { SandboxDeps } from './sandbox-deps';

const MODE = 0o644;

/**
 * Writes hostname, hosts and resolv.conf. They are bind-mounted into containers, so they are rewritten in place; what
 * the container has changed in them stays.
 */
export async function writeSandboxFiles(
  deps: SandboxDeps,
  sandbox: LiveSandbox,
  others: readonly LiveSandbox[],
): Promise<void> {
  const { filesDir, hostname } = sandbox.request;
  const write = (name: string, content: string) => writeFile(join(filesDir, name), content, { mode: MODE });
  await Promise.all([
    write('hostname', `${hostname}\n`),
    writeHosts(deps, sandbox, others),
    resolvConfOf(deps, sandbox).then((resolv) => {
      sandbox.upstreams = resolv.upstreams;
      return rewrite(sandbox, 'resolv.conf', resolv.text, (theirs) => theirs);
    }),
  ]);
}

/** Writes hosts alone, as when a container this one is linked to has got another address. */
export async function writeHosts(
  deps: SandboxDeps,
  sandbox: LiveSandbox,
  others: readonly LiveSandbox[],
): Promise<void> {
  const content = await hostsOf(deps, sandbox, others);
  await rewrite(sandbox, 'hosts', content, mergeLines);
}

/** After a restart of the daemon: what it must have written for the sandbox as it is. */
export async function recallSandboxFiles(
  deps: SandboxDeps,
  sandbox: LiveSandbox,
  others: readonly LiveSandbox[],
): Promise<void> {
  const resolv = await resolvConfOf(deps, sandbox);
  sandbox.upstreams = resolv.upstreams;
  sandbox.written.set('resolv.conf', resolv.text);
  // A linked container that is not taken over yet has no entry here, and then its line counts as the container's own.
  const hosts = await hostsOf(deps, sandbox, others).catch(() => undefined);
  if (hosts !== undefined) sandbox.written.set('hosts', hosts);
}

/** @param merge what becomes of a file somebody else has changed */
async function rewrite(
  sandbox: LiveSandbox,
  name: string,
  content: string,
  merge: (theirs: string, before: string, now: string) => string,
): Promise<void> {
  const path = join(sandbox.request.filesDir, name);
  const before = sandbox.written.get(name);
  sandbox.written.set(name, content);
  const theirs = before === undefined ? undefined : await readIfThere(path);
  const changed = before !== undefined && theirs !== undefined && theirs !== before;
  await writeFile(path, changed ? merge(theirs, before, content) : content, { mode: MODE });
}

/** Their lines without those we wrote before and no longer want, and with those that are new. */
export function mergeLines(theirs: string, before: string, now: string): string {
  const lines = (text: string) => text.split('\n').filter((line) => line !== '');
  const [ours, wanted] = [new Set(lines(before)), new Set(lines(now))];
  const kept = lines(theirs).filter((line) => !ours.has(line) || wanted.has(line));
  const added = [...wanted].filter((line) => !ours.has(line) && !kept.includes(line));
  return `${[...kept, ...added].join('\n')}\n`;
}

/** The resolver configuration for the networks a sandbox is on now. */
export async function resolvConfOf(deps: SandboxDeps, sandbox: LiveSandbox): Promise<RenderedResolvConf> {
  const { request } = sandbox;
  const { settings, resolvConfPath } = deps;
  const host = await hostResolver(resolvConfPath);
  const overrides = {
    dns: request.dns.length > 0 ? request.dns : settings.dns,
    search: request.dnsSearch.length > 0 ? request.dnsSearch : settings.dnsSearch,
    options: request.dnsOptions.length > 0 ? request.dnsOptions : settings.dnsOptions,
  };
  if (request.kind === 'host') return hostResolvConf(host, resolvConfPath, overrides);
  const ipv6 = sandbox.endpoints.some((endpoint) => endpoint.addressIPv6 !== '');
  return usesResolver(deps, sandbox)
    ? embeddedResolvConf(host, resolvConfPath, overrides, ipv6)
    : legacyResolvConf(host, resolvConfPath, overrides, ipv6);
}

/** Whether the sandbox is on a network whose containers are found by name. */
export function usesResolver(deps: SandboxDeps, sandbox: LiveSandbox): boolean {
  return sandbox.endpoints.some(({ networkId, automatic }) => {
    const network = deps.networks.byId(networkId);
    return network !== undefined && hasResolver(network) && !automatic;
  });
}

async function hostsOf(deps: SandboxDeps, sandbox: LiveSandbox, others: readonly LiveSandbox[]): Promise<string> {
  const { request } = sandbox;
  const extra = extraHosts(request.extraHosts, hostGateways(deps));
  if (request.kind === 'host') return hostModeHosts(extra);
  const linked = linkedHosts(sandbox, others, ({ networkId }) => {
    const network = deps.networks.byId(networkId);
    return network !== undefined && !hasResolver(network);
  });
  const names = ownNames(request.hostname, request.domainname);
  const own: HostsEntry[] = sandbox.endpoints
    .filter(({ automatic }) => !automatic)
    .flatMap(({ address, addressIPv6 }) =>
      [address, addressIPv6].filter(Boolean).map((cidr) => ({ address: cidr.split('/')[0]!, names })),
    );
  return hostsFile([...extra, ...linked], own);
}

/** On the host's network the host's own file is the beginning, as dockerd has it. */
async function hostModeHosts(extra: readonly HostsEntry[]): Promise<string> {
  const host = await readIfThere('/etc/hosts');
  if (host === '') return hostsFile(extra, []);
  const lines = extra.map(({ address, names }) => `${address}\t${names}\n`);
  return `${host.endsWith('\n') ? host : `${host}\n`}${lines.join('')}`;
}

/** Addresses `host-gateway` stands for: those of the settings, or the default bridge's. */
function hostGateways(deps: SandboxDeps): string[] {
  if (deps.settings.hostGatewayIps.length > 0) return [...deps.settings.hostGatewayIps];
  const bridge = deps.networks.byName('bridge');
  return (bridge?.pools ?? []).map((pool) => pool.gateway.split('/')[0]!).filter(Boolean);
}

let lastRead: { readonly path: string; readonly stamp: string; readonly conf: ResolvConf } | undefined;

/** The host's resolver configuration, read anew only when the file has changed. */
async function hostResolver(path: string): Promise<ResolvConf> {
  const info = await stat(path, { bigint: true }).catch(() => undefined);
  const stamp = info === undefined ? '' : `${info.ino} ${info.mtimeNs} ${info.size}`;
  if (lastRead?.path !== path || lastRead.stamp !== stamp)
    lastRead = { path, stamp, conf: parseResolvConf(await readIfThere(path)) };
  return lastRead.conf;
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
