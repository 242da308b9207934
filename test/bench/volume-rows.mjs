// Volumes and copies: what a volume plugin costs a container's life, and how fast files go in and out.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';

const copyBytes = 300_000_000;
const pluginProgram = resolve(
  dirname(fileURLToPath(import.meta.url)),
  '../../examples/volume-over-socket/dist/main.js',
);
/** Where engines look for plugins without being told. */
const pluginSockets = '/run/docker/plugins';

export const copyRows = [
  { name: 'cp in, 300 MB', unit: 'ms', better: 'lower', times: 1, sample: copyBothWays, also: 'cp out, 300 MB' },
];

/** With the client, as people do it; what comes back is what went in. */
async function copyBothWays(engine, { scratch }) {
  const there = join(scratch, `cp-in-${engine.label}`);
  const back = join(scratch, `cp-out-${engine.label}`);
  writeFileSync(there, Buffer.alloc(copyBytes, 'a line of text that is copied\n'));
  const id = await engine.create('cp', {}, { NetworkMode: 'none' });
  await engine.start(id);
  try {
    const into = await engine.cli(['cp', there, `${id}:/file`]);
    const out = await engine.cli(['cp', `${id}:/file`, back]);
    if (statSync(back).size !== copyBytes) throw new Error(`${engine.label}: the copy is not what was copied`);
    return [into, out];
  } finally {
    await engine.remove(id);
    for (const file of [there, back]) rmSync(file, { force: true });
  }
}

/** Rows that want a volume plugin: `around` starts one that all engines find by its socket. */
export const volumePluginRows = {
  async around(engine, { scratch }) {
    const plugin = `gantry-bench-${engine.label}-${process.pid}`;
    const socket = join(pluginSockets, `${plugin}.sock`);
    mkdirSync(pluginSockets, { recursive: true });
    const args = [pluginProgram, '--socket', socket, '--root', join(scratch, plugin)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(child.stdout, 'data');
    const volumes = { [plugin]: engine.name('plugin'), local: engine.name('local') };
    for (const [Driver, Name] of Object.entries(volumes))
      await engine.call('POST', '/volumes/create', { json: { Name, Driver } });
    const end = async () => {
      for (const name of Object.values(volumes)) await engine.call('DELETE', `/volumes/${name}`);
      child.kill('SIGTERM');
      await once(child, 'exit');
      rmSync(socket, { force: true });
    };
    return { byPlugin: volumes[plugin], local: volumes.local, end };
  },
  rows: [
    {
      name: 'volume plugin overhead',
      unit: 'ms',
      better: 'lower',
      times: 5,
      also: 'life with a plugin volume',
      sample: pluginOverhead,
    },
  ],
};

/** One life with a volume of the plugin, one with a volume of the engine's own, by turns. */
async function pluginOverhead(engine, { byPlugin, local }) {
  const own = await lifeWith(engine, local);
  const plugin = await lifeWith(engine, byPlugin);
  return [plugin - own, plugin];
}

async function lifeWith(engine, volume) {
  const startedAt = performance.now();
  const binds = { NetworkMode: 'none', Binds: [`${volume}:/data:nocopy`] };
  const id = await engine.create('life', { Cmd: ['true'] }, binds);
  await engine.start(id);
  await engine.call('POST', `/containers/${id}/wait`);
  await engine.call('DELETE', `/containers/${id}`);
  return performance.now() - startedAt;
}
