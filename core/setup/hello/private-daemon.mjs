// A daemon of our own beside whatever runs on this machine: own state, socket, bridge and addresses.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from './api.mjs';

const bin = resolve(dirname(fileURLToPath(import.meta.url)), '../../bin/gantryd.js');

/** @returns its address and `stop`, which ends it and removes its state */
export async function startPrivateDaemon() {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-hello-'));
  const address = `unix://${folder}/docker.sock`;
  const config = join(folder, 'daemon.json');
  writeFileSync(config, '{}\n');
  const logPath = join(folder, 'daemon.log');
  const log = openSync(logPath, 'w');
  const flags = {
    'config-file': config,
    host: address,
    'data-root': join(folder, 'data'),
    'exec-root': join(folder, 'exec'),
    pidfile: join(folder, 'pid'),
    bridge: `gh${process.pid}`,
    bip: freeSubnet(),
  };
  const args = Object.entries(flags).map(([key, value]) => `--${key}=${value}`);
  const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', log, log] });
  closeSync(log);
  const ended = new Promise((done) => child.once('exit', done));
  let engineId = '';
  const stop = async () => {
    child.kill('SIGTERM');
    const late = setTimeout(() => {
      console.error(`daemon ${child.pid} does not stop; killing it`);
      child.kill('SIGKILL');
    }, 20_000);
    await ended;
    clearTimeout(late);
    // A daemon leaves its bridge for its next life; this one has none.
    spawnSync('ip', ['link', 'delete', flags.bridge], { stdio: 'ignore' });
    if (engineId) spawnSync('nft', ['delete', 'table', 'inet', `gantry-${engineId.slice(0, 8)}`], { stdio: 'ignore' });
    rmSync(folder, { recursive: true, force: true });
  };
  for (let waited = 0; waited < 20_000; waited += 50) {
    if (await connect(address).ping()) {
      engineId = JSON.parse(await connect(address).get('/info')).ID;
      return { address, stop };
    }
    if (child.exitCode !== null) break;
    await new Promise((done) => setTimeout(done, 50));
  }
  const said = readFileSync(logPath, 'utf8').trim().split('\n').slice(-15).join('\n');
  if (child.exitCode === null) await stop();
  else rmSync(folder, { recursive: true, force: true });
  throw new Error(`the private daemon does not serve:\n${said}`);
}

/** A /24 of 10.213.0.0/16 that no interface of this machine has. */
function freeSubnet() {
  const taken = Object.values(networkInterfaces())
    .flat()
    .map((each) => each.address);
  for (let third = process.pid % 200, tries = 0; tries < 200; tries++, third = (third + 1) % 200) {
    if (!taken.some((address) => address.startsWith(`10.213.${third}.`))) return `10.213.${third}.1/24`;
  }
  throw new Error('no free subnet in 10.213.0.0/16');
}
