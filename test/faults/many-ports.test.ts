import { execFileSync } from 'node:child_process';
import { createContainer } from '../support/containers';
import { daemonForSuite } from '../support/daemon';

/** How many ports are published. The long drill is GANTRY_PORTS=1000, which also judges the time. */
const ports = Number(process.env.GANTRY_PORTS ?? 100);
const isLong = process.env.GANTRY_PORTS !== undefined;
/** Starts that are timed with no other port, and with all of them. */
const samples = isLong ? 25 : 3;
const perContainer = 50;
const firstPort = 23_000;

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
jest.setTimeout(300_000);

test(`${ports} published ports are elements of our table alone, and the last costs what the first did`, async () => {
  const owner = `gantry-${(await daemon().api.get('/info')).json<{ ID: string }>().ID.slice(0, 8)}`;
  const foreign = `foreign${process.pid}`;
  nft('add', 'table', 'inet', foreign);
  try {
    nft('add', 'chain', 'inet', foreign, 'kept');
    nft('add', 'rule', 'inet', foreign, 'kept', 'tcp', 'dport', '4242', 'counter');
    const probe = await publish(firstPort + ports, 1);
    const [rules, others] = [rulesOf(owner), rulesetWithout(owner, foreign)];
    const first = await startTimes(probe);
    for (let port = 0; port < ports; port += perContainer) {
      const id = await publish(firstPort + port, Math.min(perContainer, ports - port));
      expect((await daemon().api.post(`/containers/${id}/start`)).status).toBe(204);
    }
    expect(nft('list', 'map', 'inet', owner, 'any4').match(/tcp \. \d+ :/g)).toHaveLength(ports);
    const last = await startTimes(probe);
    expect(rulesOf(owner)).toBe(rules);
    expect(rulesetWithout(owner, foreign)).toBe(others);
    if (!isLong) return;
    process.stdout.write(`first port ${first.toFixed(1)} ms, port ${ports + 1} ${last.toFixed(1)} ms\n`);
    expect(last).toBeLessThanOrEqual(first * 1.5);
  } finally {
    nft('delete', 'table', 'inet', foreign);
  }
  await daemon().removeEverything();
  expect(nft('list', 'map', 'inet', owner, 'any4')).not.toContain('elements');
});

const nft = (...args: string[]) => execFileSync('nft', args, { encoding: 'utf8', maxBuffer: 1 << 26 });

/** A container that publishes so many ports, from `from` on. */
function publish(from: number, count: number): Promise<string> {
  const numbers = Array.from({ length: count }, (_, index) => `${from + index}`);
  return createContainer(daemon(), {
    ExposedPorts: Object.fromEntries(numbers.map((port) => [`${port}/tcp`, {}])),
    HostConfig: {
      PortBindings: Object.fromEntries(numbers.map((port) => [`${port}/tcp`, [{ HostIp: '0.0.0.0', HostPort: port }]])),
      StopTimeout: 0,
    },
  });
}

/** @returns the median time to start a container, its port included, in milliseconds */
async function startTimes(id: string): Promise<number> {
  const times: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const begun = performance.now();
    expect((await daemon().api.post(`/containers/${id}/start`)).status).toBe(204);
    times.push(performance.now() - begun);
    await daemon().api.post(`/containers/${id}/kill`);
    await daemon().api.post(`/containers/${id}/wait?condition=not-running`);
  }
  return times.sort((a, b) => a - b)[samples >> 1]!;
}

/** Our table without the elements of its maps, which may stand in several lines. */
function rulesOf(owner: string): string {
  return nft('list', 'table', 'inet', owner).replaceAll(/\s*elements = \{[^}]*\}/g, '');
}

/** On a machine shared with other daemons only the table that nobody but this test has. */
function rulesetWithout(owner: string, foreign: string): string {
  if (process.env.GANTRY_SHARED_MACHINE) return nft('list', 'table', 'inet', foreign);
  const tables = nft('list', 'ruleset').split(/^(?=table )/m);
  return tables.filter((table) => !table.startsWith(`table inet ${owner} `)).join('');
}
