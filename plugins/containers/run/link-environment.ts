import { parseExposedPorts } from '../create/ports';
import { parseLink } from '../create/validate-network';
import type { Engine } from '../engine';
import type { ContainerRecord } from '../records/container-record';

interface Linked {
  /** Name of the link in upper case with underscores. */
  readonly alias: string;
  /** `/container/alias`. */
  readonly name: string;
  readonly ip: string;
  readonly ports: readonly { readonly proto: string; readonly port: number }[];
  readonly env: readonly string[];
}

const DEFAULT_BRIDGE = 'bridge';

/** Variables that tell a container on the default bridge about those it is linked to (`--link`). */
export function linkEnvironment(record: ContainerRecord, engine: Pick<Engine, 'index' | 'networks'>): string[] {
  if (!Object.hasOwn(record.networks, DEFAULT_BRIDGE)) return [];
  return (record.hostConfig.Links ?? []).map(parseLink).flatMap(({ container, alias }) => {
    const target = engine.index.find(container);
    const endpoints = target && engine.networks.sandbox(target.id)?.endpoints;
    const ip = endpoints?.find(({ networkName }) => networkName === DEFAULT_BRIDGE)?.ipAddress;
    if (target === undefined || !ip) return [];
    const { config } = target.record;
    return variablesOf({
      alias: alias.toUpperCase().replaceAll('-', '_'),
      name: `/${record.name}/${alias}`,
      ip,
      ports: parseExposedPorts(Object.keys(config.ExposedPorts ?? {})),
      env: config.Env,
    });
  });
}

function variablesOf({ alias, name, ip, ports, env }: Linked): string[] {
  // tcp comes first; the first port is the one without a number in its name.
  const sorted = [...ports].sort((a, b) => rank(a.proto) - rank(b.proto) || a.port - b.port);
  const first = sorted[0];
  const own = env.filter((entry) => entry.includes('=') && !/^(HOME|PATH)=/.test(entry));
  return [
    ...(first ? [`${alias}_PORT=${url(ip, first)}`] : []),
    ...sorted.flatMap((port) => portVariables(alias, ip, port)),
    ...ranges(sorted).flatMap(([start, end]) => rangeVariables(alias, ip, start, end)),
    `${alias}_NAME=${name}`,
    ...own.map((entry) => `${alias}_ENV_${entry}`),
  ];
}

type Port = Linked['ports'][number];

const rank = (proto: string): number => ['tcp', 'sctp', 'udp'].indexOf(proto);
const url = (ip: string, { proto, port }: Port): string => `${proto}://${ip}:${port}`;
const prefix = (alias: string, { proto, port }: Port): string => `${alias}_PORT_${port}_${proto.toUpperCase()}`;

function portVariables(alias: string, ip: string, port: Port): string[] {
  const name = prefix(alias, port);
  return [`${name}=${url(ip, port)}`, `${name}_ADDR=${ip}`, `${name}_PORT=${port.port}`, `${name}_PROTO=${port.proto}`];
}

function rangeVariables(alias: string, ip: string, start: Port, end: Port): string[] {
  const name = prefix(alias, start);
  return [
    `${name}_START=${url(ip, start)}`,
    `${name}_PORT_START=${start.port}`,
    `${name}_END=${url(ip, end)}`,
    `${name}_PORT_END=${end.port}`,
  ];
}

/** First and last of each run of two or more ports in a row. */
function ranges(sorted: readonly Port[]): [Port, Port][] {
  const runs: [Port, Port][] = [];
  for (const port of sorted) {
    const run = runs.at(-1);
    if (run && run[1].proto === port.proto && run[1].port + 1 === port.port) run[1] = port;
    else runs.push([port, port]);
  }
  return runs.filter(([start, end]) => start !== end);
}
