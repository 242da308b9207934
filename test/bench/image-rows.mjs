// Rows about images of 300 MB: load, save, push and pull with a registry on the loopback address of each engine, how the
// engine answers others meanwhile, and what plain tools need for the same bytes.
import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { promisify } from 'node:util';
import { dockerArchive, tarOf } from '../../core/setup/hello/image.mjs';

const layerCount = 5;
const filesPerLayer = 1200;
const pauseBetweenPingsMs = 2;
const run = promisify(execFile);

export const imageRows = {
  async around(engine, { scratch }) {
    const folder = join(scratch, `images-${engine.label}`);
    mkdirSync(folder, { recursive: true });
    const { archive, layers } = await makeImage(scratch);
    const registry = await startRegistry(engine, folder);
    const name = `${registry.host}/bench:v1`;
    const state = { folder, archive, layers, registry, name, isHere: false, isPushed: false };
    const end = async () => {
      await forget(engine, state);
      await registry.stop();
    };
    return { ...state, state, end };
  },
  rows: [
    ms('image load, 300 MB', async (engine, { state }) => {
      await forget(engine, state);
      return load(engine, state);
    }),
    ms('image save, 300 MB', async (engine, { state }) => {
      await load(engine, state);
      return timed(() => engine.call('GET', `/images/${encodeURIComponent(state.name)}/get`, { onData() {} }));
    }),
    ms('image push, 300 MB', async (engine, { state }) => {
      await load(engine, state);
      // A registry that knows nothing yet: every layer is sent.
      state.registry.clear();
      return timed(() => push(engine, state));
    }),
    {
      name: 'image pull, 300 MB',
      also: '_ping during a pull, p99',
      unit: 'ms',
      better: 'lower',
      times: 1,
      async sample(engine, { state }) {
        if (!state.isPushed) {
          await load(engine, state);
          await push(engine, state);
        }
        await forget(engine, state);
        const pings = watchPings(engine);
        const took = await timed(() => progress(engine, `/images/create?fromImage=${state.name}`));
        state.isHere = true;
        return [took, await pings.p99()];
      },
    },
    tools('plain tools: unpack and digest', unpackByTools),
    tools('plain tools: pack and digest', (state) => packByTools(state, 'cat')),
    tools('plain tools: pack, gzip and digest', (state) => packByTools(state, 'gzip')),
  ],
};

function ms(name, sample) {
  return { name, unit: 'ms', better: 'lower', times: 1, sample };
}

/** The limit: it is the same whoever is measured. */
function tools(name, work) {
  return { ...ms(name, (_, { state }) => timed(() => work(state))), once: true };
}

async function timed(work) {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

let made;
/** The same image for everybody, half of it hard to compress. */
function makeImage(scratch) {
  made ??= (async () => {
    const layers = Array.from({ length: layerCount }, (_, layer) =>
      Array.from({ length: filesPerLayer }, (_, file) => ({
        name: `layer${layer}-${file % 20}/file${file}`,
        mode: 0o644,
        data: Buffer.concat([
          randomBytes(25_000),
          Buffer.alloc(25_000, createHash('sha256').update(`${file}`).digest()),
        ]),
      })),
    );
    const archive = join(scratch, 'image-300.tar');
    writeFileSync(archive, dockerArchive('gantry-bench-300:latest', layers));
    const paths = [];
    for (const [index, files] of layers.entries()) {
      const path = join(scratch, `layer${index}.tar`);
      writeFileSync(path, tarOf(files));
      await run('gzip', ['-6', path]);
      paths.push(`${path}.gz`);
    }
    return { archive, layers: paths };
  })();
  return made;
}

async function load(engine, state) {
  if (state.isHere) return 0;
  const took = await timed(() =>
    engine.call('POST', '/images/load?quiet=1', {
      body: createReadStream(state.archive),
      type: 'application/x-tar',
      onData() {},
    }),
  );
  const [repository, tag] = splitTag(state.name);
  await engine.call('POST', `/images/gantry-bench-300/tag?repo=${encodeURIComponent(repository)}&tag=${tag}`);
  state.isHere = true;
  return took;
}

async function forget(engine, state) {
  for (const name of [state.name, 'gantry-bench-300:latest'])
    await engine.call('DELETE', `/images/${encodeURIComponent(name)}?force=1`).catch(() => {});
  state.isHere = false;
}

async function push(engine, state) {
  const [repository, tag] = splitTag(state.name);
  await progress(engine, `/images/${repository}/push?tag=${tag}`, { 'X-Registry-Auth': 'e30=' });
  state.isPushed = true;
}

const splitTag = (name) => [name.slice(0, name.lastIndexOf(':')), name.slice(name.lastIndexOf(':') + 1)];

/** Reads a stream of progress lines to its end; an error in it is one. */
function progress(engine, path, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { socketPath: engine.socketPath, method: 'POST', path, headers: { Host: 'docker', ...headers }, agent: false },
      (response) => {
        let tail = '';
        response.on('data', (part) => {
          tail = (tail + part).slice(-2000);
        });
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode < 400 && !tail.includes('"errorDetail"')) resolve();
          else reject(new Error(`${engine.label}: POST ${path}: ${response.statusCode} ${tail.slice(-500)}`));
        });
      },
    );
    request.on('error', reject);
    request.end();
  });
}

function watchPings(engine) {
  const samples = [];
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      samples.push(await timed(() => engine.call('GET', '/_ping')));
      await new Promise((resolve) => setTimeout(resolve, pauseBetweenPingsMs));
    }
  })();
  return {
    async p99() {
      isOver = true;
      await watching;
      samples.sort((a, b) => a - b);
      return samples[Math.floor(samples.length * 0.99)];
    },
  };
}

/** Debian's docker-registry in the network namespace of the engine's daemon: on its loopback, plain http is allowed. */
async function startRegistry(engine, folder) {
  const data = join(folder, 'registry');
  const host = `127.0.0.1:${await freePort()}`;
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: data } },
    http: { addr: host },
  };
  mkdirSync(data, { recursive: true });
  writeFileSync(join(folder, 'registry.yml'), JSON.stringify(config));
  const inside = ['nsenter', `--net=/proc/${engine.daemonPid()}/ns/net`];
  const [command, ...args] = [...inside, 'docker-registry', 'serve', join(folder, 'registry.yml')];
  const child = spawn(command, args, { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const asked = () =>
    run(inside[0], [inside[1], 'curl', '-sf', '-o', '/dev/null', `http://${host}/v2/`]).then(
      () => true,
      () => false,
    );
  for (let waited = 0; !(await asked()); waited += 100) {
    if (waited > 10_000 || child.exitCode !== null) throw new Error('docker-registry does not answer');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    host,
    clear: () => rmSync(join(data, 'docker'), { recursive: true, force: true }),
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Two layers at a time, as there are two cores on the machines this is for. */
const eachLayer = (layers, script) =>
  run('sh', ['-c', `printf '%s\\n' "$@" | xargs -P2 -I{} sh -c '${script}'`, 'sh', ...layers]);

async function unpackByTools({ folder, layers }) {
  const target = join(folder, 'unpacked');
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target);
  await eachLayer(
    layers,
    `sha256sum {} >/dev/null; gzip -dc {} | tar -x -C ${target}; gzip -dc {} | sha256sum >/dev/null`,
  );
  await run('sync', ['-f', target]);
}

async function packByTools({ folder }, filter) {
  const target = join(folder, 'unpacked');
  const parts = Array.from({ length: layerCount }, (_, layer) => `layer${layer}`);
  await eachLayer(parts, `cd ${target}; tar -c {}-* | ${filter} | tee {}.out | sha256sum >/dev/null; rm {}.out`);
}
