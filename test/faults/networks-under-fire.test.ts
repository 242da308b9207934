import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createContainer } from '../support/containers';
import { daemonForSuite } from '../support/daemon';
import { eventually, sleep } from '../support/eventually';

/** How often the daemon is killed. The long drill is GANTRY_NETWORK_KILLS=200. */
const kills = Number(process.env.GANTRY_NETWORK_KILLS ?? 12);
const seed = Number(process.env.GANTRY_NETWORK_SEED ?? Date.now() % 1_000_000);
jest.setTimeout(60_000 + kills * 15_000);

const daemon = daemonForSuite({
  tidy: async (each) => {
    if (!each.runs) await each.start();
    await each.removeEverything();
  },
});

let state = seed;
/** Whole numbers below `limit`; the same seed gives the same drill. @see Numerical Recipes, LCG */
function random(limit: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

test(`${kills} kills in the middle of starts, stops, connects and disconnects leave nothing behind (seed ${seed})`, async () => {
  const api = daemon().api;
  const owner = `gantry-${(await api.get('/info')).json<{ ID: string }>().ID.slice(0, 8)}`;
  const networks = ['lan0', 'lan1', 'lan2'];
  for (const Name of networks) expect((await api.post('/networks/create', { Name })).status).toBe(201);
  const containers: string[] = [];
  for (let n = 0; n < 4; n++)
    containers.push(
      await createContainer(daemon(), {
        ExposedPorts: { '80/tcp': {}, '53/udp': {} },
        HostConfig: {
          NetworkMode: networks[n % 2],
          // Outside of the range others on the machine get theirs from while the daemon is dead.
          PortBindings: { '80/tcp': [{ HostPort: '20100-21999' }], '53/udp': [{ HostPort: '20100-21999' }] },
          StopTimeout: 0,
        },
      }),
    );
  // What one kill interrupts may fail; what is left afterwards counts.
  const disturb = async () => {
    const id = containers[random(containers.length)]!;
    const network = networks[random(networks.length)]!;
    const deeds = [
      () => api.post(`/containers/${id}/start`),
      () => api.post(`/containers/${id}/start`),
      () => api.post(`/containers/${id}/stop?t=0`),
      () => api.post(`/containers/${id}/kill`),
      () => api.post(`/containers/${id}/restart?t=0`),
      () => api.post(`/networks/${network}/connect`, { Container: id }),
      () => api.post(`/networks/${network}/connect`, { Container: id }),
      () => api.post(`/networks/${network}/disconnect`, { Container: id, Force: true }),
      () => api.post('/networks/create', { Name: 'passing', EnableIPv6: true }),
      () => api.delete('/networks/passing'),
    ];
    await deeds[random(deeds.length)]!().catch(() => undefined);
  };

  for (let n = 0; n < kills; n++) {
    let killed = false;
    const hands = Array.from({ length: 3 }, async () => {
      while (!killed) {
        await disturb();
        await sleep(2); // Once the daemon is dead, calls fail at once.
      }
    });
    await sleep(20 + random(350));
    await daemon().kill();
    killed = true;
    await Promise.all(hands);
    await daemon().start();
    await eventually(`the kernel to be as the daemon says after kill ${n + 1} (seed ${seed})`, () => agree(owner));
  }

  for (const id of containers) await api.delete(`/containers/${id}?force=1`);
  for (const network of [...networks, 'passing']) await api.delete(`/networks/${network}`);
  await eventually('nothing of ours in the kernel', () => kernelView(owner).total === 0);
  // A leaked address would not be given out again.
  expect((await api.post('/networks/create', { Name: 'again' })).status).toBe(201);
  const last = await createContainer(daemon(), { HostConfig: { NetworkMode: 'again' } });
  await api.post(`/containers/${last}/start`);
  const { Config } = (await api.get('/networks/again')).json().IPAM;
  const { IPAddress } = (await api.get(`/containers/${last}/json`)).json().NetworkSettings.Networks.again;
  expect(IPAddress).toBe(Config[0].Gateway.replace(/\d+$/, (digits: string) => String(Number(digits) + 1)));
});

/** Whether links, namespaces and published ports are those of the running containers, no more and no less. */
async function agree(owner: string): Promise<boolean> {
  const list = (await daemon().api.get('/containers/json')).json<{ Id: string }[]>();
  let endpoints = 0;
  let ports = 0;
  for (const { Id } of list) {
    const { NetworkSettings } = (await daemon().api.get(`/containers/${Id}/json`)).json();
    endpoints += Object.keys(NetworkSettings.Networks).length;
    for (const bound of Object.values<{ HostIp: string }[] | null>(NetworkSettings.Ports))
      ports += (bound ?? []).filter(({ HostIp }) => !HostIp.includes(':')).length;
  }
  const seen = kernelView(owner);
  const wanted = { links: endpoints, namespaces: list.length, ports };
  if (seen.links !== wanted.links || seen.namespaces !== wanted.namespaces || seen.ports !== wanted.ports)
    throw new Error(`the daemon says ${JSON.stringify(wanted)}, the kernel has ${JSON.stringify(seen)}`);
  return true;
}

/** What carries the mark of the daemon. */
function kernelView(owner: string) {
  const text = execFileSync('ip', ['-j', 'link', 'show', 'type', 'veth'], { encoding: 'utf8' });
  const all = JSON.parse(text || '[]') as { ifalias?: string }[];
  const links = all.filter(({ ifalias }) => ifalias === owner).length;
  const folder = join(daemon().execRoot, 'networks/netns'); // Made with the first sandbox.
  const namespaces = existsSync(folder) ? readdirSync(folder).length : 0;
  const map = execFileSync('nft', ['list', 'map', 'inet', owner, 'any4'], { encoding: 'utf8', stdio: 'pipe' });
  const ports = map.match(/(tcp|udp|6|17) \. \d+ :/g)?.length ?? 0;
  return { links, namespaces, ports, total: links + namespaces + ports };
}
