import { readdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { daemonForSuite } from '../support/daemon';
import { eventually, sleep } from '../support/eventually';
import { exchange, pickManner } from '../support/fuzz/exchange';
import { Random } from '../support/fuzz/random';
import { type FuzzRoute, isInBounds, makeRequest } from '../support/fuzz/requests';
import { schemaRoutes } from '../support/fuzz/schema-routes';

/**
 * For a long look: `GANTRY_FUZZ_SECONDS=600 GANTRY_FUZZ_SEED=7 GANTRY_FUZZ_SCHEMA=engine-api.yaml`, and
 * `GANTRY_FUZZ_REPORT=/tmp/errors.txt` for every error with status 500 by route, to be read by a person.
 */
const seconds = Number(process.env.GANTRY_FUZZ_SECONDS ?? 10);
const seed = Number(process.env.GANTRY_FUZZ_SEED ?? Date.now() % 1_000_000);
const schema = process.env.GANTRY_FUZZ_SCHEMA;

const daemon = daemonForSuite({ args: ['--debug', '-H', 'tcp://127.0.0.1:0'] });

/** Words that name a mistake of ours instead of a cause. */
const unnamed =
  /undefined|\bNaN\b|\[object|is not a function|not iterable|Cannot (read|mix|convert|set|use)|TypeError|RangeError|ReferenceError|call stack|ERR_[A-Z_]+|Unexpected token|must be of type/;

/** Answers that may go on, or come late: a container must end, or a client must say something. */
const mayLast = /\/(wait|attach|attach\/ws|logs|stats|start|stop|restart)\b|\/events/;

function ownRoutes(): FuzzRoute[] {
  const lines = daemon().log.matchAll(/registering route.* method=(\w+) path="?([^"\s]+)/g);
  return [...lines].map(([, method, path]) => ({ method: method!, path: path! })).filter(isInBounds);
}

async function seedObjects(): Promise<void> {
  const { api } = daemon();
  const body = { Image: 'busybox', Cmd: ['cat'], OpenStdin: true, Labels: { fuzz: '1' } };
  for (const name of ['one', 'two']) await api.post(`/containers/create?name=${name}`, body);
  await api.post('/containers/one/start');
  await api.post('/networks/create', { Name: 'fuzznet' });
  await api.post('/volumes/create', { Name: 'fuzzvolume' });
}

const openFiles = () => readdirSync(`/proc/${daemon().pid}/fd`).length;

test(
  `requests of all kinds to every route do no harm (seed ${seed}, ${seconds} s)`,
  async () => {
    await seedObjects();
    const { api, socketPath, pid } = daemon();
    const port = await daemon().tcpPort();
    const connect = (random: Random) =>
      net.connect({
        ...(random.chance(0.5) ? { path: socketPath } : { port, host: '127.0.0.1' }),
        allowHalfOpen: true,
      });
    const routes = schema === undefined ? ownRoutes() : schemaRoutes(schema).filter(isInBounds);
    expect(routes.length).toBeGreaterThan(50);
    const before = openFiles();
    const faults: string[] = [];
    const statuses = new Map<number, number>();
    const pings: number[] = [];
    const execs: string[] = [];
    const errors = new Map<string, string>();
    const until = Date.now() + seconds * 1000;
    const goesOn = () => Date.now() < until && faults.length < 20 && daemon().runs;

    const worker = async (number: number) => {
      const random = new Random(seed * 31 + number);
      while (goesOn()) {
        const route = random.pick(routes);
        const request = makeRequest(route, execs, random);
        const manner = pickManner(random);
        const patienceMs = mayLast.test(route.path) ? 150 : 30_000;
        const answer = await exchange(() => connect(random), request, manner, patienceMs, random);
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        if (route.path.endsWith('/exec') && answer.status === 201)
          execs.splice(0, Math.max(0, execs.length - 20), JSON.parse(answer.body.replace(/^[0-9a-f]+\r\n/, '')).Id);
        const shown = () =>
          `${request.method} ${request.url} (${manner})\n${request.headers.join('\n')}\n${request.body?.toString().slice(0, 3000)}\n→ ${answer.status} ${answer.body.slice(0, 600)}`;
        const waits = mayLast.test(route.path) || manner.startsWith('reset');
        if (answer.status === 0 && !waits && daemon().runs) faults.push(`no answer in ${answer.ms} ms: ${shown()}`);
        if (answer.status < 400) continue;
        if (answer.status === 500) errors.set(`${route.method} ${route.path}: ${answer.body.slice(0, 160)}`, shown());
        if (answer.status >= 500 && unnamed.test(answer.body)) faults.push(`an error without a cause: ${shown()}`);
        if (
          answer.head !== '' &&
          !answer.body.startsWith('{"message":"') &&
          manner === 'fine' &&
          request.method !== 'HEAD'
        )
          faults.push(`an error without a message: ${shown()}`);
      }
    };
    const watch = async () => {
      while (goesOn()) {
        const startedAt = performance.now();
        if ((await api.get('/_ping')).status !== 200) faults.push('no ping');
        pings.push(performance.now() - startedAt);
        await sleep(25);
      }
    };
    // What was removed is made again, so that there is always something to work on.
    const restore = async () => {
      while (goesOn()) {
        await seedObjects().catch((error) => faults.push(`objects cannot be made: ${error}`));
        await sleep(500);
      }
    };
    await Promise.all([...Array.from({ length: 4 }, (_, number) => worker(number)), watch(), restore()]);

    if (process.env.GANTRY_FUZZ_REPORT !== undefined)
      writeFileSync(process.env.GANTRY_FUZZ_REPORT, [...errors.values()].join('\n\n'));
    expect(faults.map((fault) => fault.slice(0, 5000))).toEqual([]);
    expect(daemon().pid).toBe(pid);
    expect(daemon().runs).toBe(true);
    const complaints = daemon()
      .log.split('\n')
      .filter((line) => /level=(fatal|panic)|uncaught|unhandled|msg="request failed".* stack=/i.test(line));
    expect(complaints).toEqual([]);

    const total = [...statuses.values()].reduce((sum, count) => sum + count, 0);
    pings.sort((a, b) => a - b);
    const p99 = pings[Math.floor(pings.length * 0.99)]!;
    const counts = [...statuses].sort().map(([status, count]) => `${status}: ${count}`);
    process.stderr.write(
      `fuzz: seed ${seed}, ${total} requests to ${routes.length} routes (${counts.join(', ')}), _ping p99 ${p99.toFixed(1)} ms of ${pings.length}\n`,
    );
    expect(p99).toBeLessThan(2000);
    await daemon().removeEverything();
    // Sockets, pumps and FIFOs of everything that came and went are closed; a few stay open for later use.
    await eventually('open files to go down', () => openFiles() <= before + 10, 20_000);
  },
  seconds * 1000 + 120_000,
);
