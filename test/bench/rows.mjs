// What is measured. A row gives one sample for one engine; `better` says which way is good.
import { createReadStream } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { image } from './engine.mjs';
import { requestRate } from './request-rate.mjs';

const many = 100;

async function timed(work) {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

const ms = (name, sample, times = 3) => ({ name, unit: 'ms', better: 'lower', sample, times });

/** Rows that need nothing around them. */
export const plainRows = [
  ms('docker run --rm true, bridge', (engine) => engine.cli(['run', '--rm', image, 'true'])),
  ms('docker run --rm true, none', (engine) => engine.cli(['run', '--rm', '--network', 'none', image, 'true'])),
  ms('create+start+wait+remove, port', (engine) => timed(() => wholeLife(engine))),
  ms('api_start, port', startOne),
  {
    name: 'parallel_start: 50 at once',
    unit: 'ms',
    better: 'lower',
    times: 1,
    sample: startMany,
    also: '50 at once: remove',
  },
  { name: 'image load, 60 MB', unit: 'ms', better: 'lower', times: 1, sample: loadImage },
];

async function wholeLife(engine) {
  const ports = { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] } };
  const id = await engine.create('life', { Cmd: ['true'], ExposedPorts: { '80/tcp': {} } }, ports);
  await engine.start(id);
  await engine.call('POST', `/containers/${id}/wait`);
  await engine.call('DELETE', `/containers/${id}`);
}

async function startOne(engine) {
  const ports = { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] } };
  const id = await engine.create('start', { ExposedPorts: { '80/tcp': {} } }, ports);
  const took = await timed(() => engine.start(id));
  await engine.remove(id);
  return took;
}

async function startMany(engine) {
  const ids = [];
  const start = await timed(() =>
    Promise.all(
      Array.from({ length: 50 }, async () => {
        const id = await engine.create('par');
        ids.push(id);
        await engine.start(id);
      }),
    ),
  );
  const remove = await timed(() => Promise.all(ids.map((id) => engine.remove(id))));
  return [start, remove];
}

async function loadImage(engine, { archive, archiveImage }) {
  await engine.call('DELETE', `/images/${archiveImage}?force=1`).catch(() => {});
  return timed(() =>
    engine.call('POST', '/images/load?quiet=1', {
      body: createReadStream(archive),
      type: 'application/x-tar',
      onData() {},
    }),
  );
}

/** Rows that want a container to run: `around` makes it and takes it away. */
export const execRows = {
  async around(engine) {
    const id = await engine.create('exec', {}, { NetworkMode: 'none' });
    await engine.start(id);
    return { id, end: () => engine.remove(id) };
  },
  rows: [ms('exec true, attached', (engine, { id }) => timed(() => engine.exec(id, ['true'])), 5)],
};

/** Rows beside a hundred running containers, and the memory they take. */
export const crowdRows = {
  async around(engine) {
    const idle = engine.memoryMiB();
    const ids = [];
    for (let i = 0; i < many; i += 10) {
      await Promise.all(
        Array.from({ length: 10 }, async () => {
          const id = await engine.create('crowd', { Labels: { 'bench.crowd': '1' } });
          ids.push(id);
          await engine.start(id);
        }),
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const memory = (engine.memoryMiB() - idle) / many;
    const end = async () => {
      for (let i = 0; i < many; i += 10) await Promise.all(ids.slice(i, i + 10).map((id) => engine.remove(id)));
    };
    return { id: ids[0], idle, memory, end };
  },
  rows: [
    { name: 'idle daemon, PSS', unit: 'MiB', better: 'lower', times: 1, once: true, sample: (_, { idle }) => idle },
    {
      name: 'memory per container, PSS',
      unit: 'MiB',
      better: 'lower',
      times: 1,
      once: true,
      sample: (_, { memory }) => memory,
    },
    rate('list of 100 containers', () => '/containers/json'),
    rate('inspect', ({ id }) => `/containers/${id}/json`),
    rate('_ping', () => '/_ping'),
  ],
};

function rate(name, path) {
  const sample = (engine, around) => requestRate(engine.socketPath, path(around));
  return { name, unit: 'req/s', better: 'higher', times: 1, sample };
}
