import { readFileSync } from 'node:fs';
import { createContainer } from '../support/containers';
import { daemonForSuite, type TestDaemon } from '../support/daemon';

/** How many containers there are, and how many of them run. The long drill is GANTRY_DENSITY=700,200. */
const [all = 24, running = 12] = (process.env.GANTRY_DENSITY ?? '24,12').split(',').map(Number);
const requests = 100;
jest.setTimeout(120_000 + all * 1000);

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });

/** Processor time of the daemon so far, its threads included; how busy the machine is does not matter much to it. */
function usedMs({ pid }: TestDaemon): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  // User and system time in hundredths of a second. @see proc(5)
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Processor time of one request, over many. */
async function costMs(path: string): Promise<number> {
  const before = usedMs(daemon());
  for (let n = 0; n < requests; n++) {
    const { status } = await daemon().api.get(path);
    if (status !== 200) throw new Error(`${path}: ${status}`);
  }
  return (usedMs(daemon()) - before) / requests;
}

test(`${all} containers of which ${running} were started at once: a list and a ping stay cheap`, async () => {
  const ids: string[] = [];
  for (let n = 0; n < all; n++)
    ids.push(await createContainer(daemon(), { HostConfig: { NetworkMode: n < running / 2 ? 'bridge' : 'none' } }));
  const started = await Promise.all(ids.slice(0, running).map((id) => daemon().api.post(`/containers/${id}/start`)));
  expect(started.map(({ status }) => status)).toEqual(Array(running).fill(204));
  const listed = (await daemon().api.get('/containers/json?all=1')).json<{ State: string }[]>();
  expect(listed).toHaveLength(all);
  expect(listed.filter(({ State }) => State === 'running')).toHaveLength(running);

  const costs = { ping: await costMs('/_ping'), list: await costMs('/containers/json?all=1') };
  process.stderr.write(`processor time of a ping ${costs.ping} ms, of a list of ${all} ${costs.list} ms\n`);
  expect(costs.ping).toBeLessThan(5);
  expect(costs.list).toBeLessThan(5 + all / 20);

  const removed = await Promise.all(ids.map((id) => daemon().api.delete(`/containers/${id}?force=1`)));
  expect(removed.map(({ status }) => status)).toEqual(Array(all).fill(204));
});
