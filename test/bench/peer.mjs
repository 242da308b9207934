// Debian's docker.io as a peer to measure against: its own binaries, state, socket, containerd and network namespace,
// beside whatever else runs here. Nothing of it is installed on the system but iptables, which it needs.
//
//   node test/bench/peer.mjs start [--dir /tmp/gantry-peer]     prints the address
//   node test/bench/peer.mjs stop  [--dir /tmp/gantry-peer]
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { findProgram } from '../../core/setup/system-packages.mjs';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { dir: { type: 'string', default: '/tmp/gantry-peer' } },
});
const dir = resolve(values.dir);
const at = (...parts) => join(dir, ...parts);
const namespace = basename(dir);
const run = (command, ...args) =>
  execFileSync(command, args, { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

const actions = { start, stop };
if (!actions[positionals[0]]) {
  console.error('say start or stop');
  process.exit(2);
}
await actions[positionals[0]]();

async function start() {
  if (await answers()) throw new Error(`something serves at ${at('docker.sock')} already`);
  fetchBinaries();
  for (const folder of ['data', 'exec', 'containerd', 'containerd-state']) mkdirSync(at(folder), { recursive: true });
  writeFileSync(at('daemon.json'), '{}\n');
  const containerdConfig = [
    'version = 2',
    `root = "${at('containerd')}"`,
    `state = "${at('containerd-state')}"`,
    'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
    '[grpc]',
    `address = "${at('containerd.sock')}"`,
  ];
  writeFileSync(at('containerd.toml'), `${containerdConfig.join('\n')}\n`);
  if (!existsSync(`/run/netns/${namespace}`)) run('ip', 'netns', 'add', namespace);
  run('ip', '-n', namespace, 'link', 'set', 'lo', 'up');
  await launch('containerd', ['containerd', '--config', at('containerd.toml')], () =>
    existsSync(at('containerd.sock')),
  );
  const flags = {
    host: `unix://${at('docker.sock')}`,
    'data-root': at('data'),
    'exec-root': at('exec'),
    'config-file': at('daemon.json'),
    pidfile: at('docker.pid'),
    containerd: at('containerd.sock'),
    'cgroup-parent': `/${namespace}`,
  };
  await launch('dockerd', ['dockerd', ...Object.entries(flags).map(([key, value]) => `--${key}=${value}`)], answers);
  console.log(`unix://${at('docker.sock')}`);
}

async function stop() {
  for (const name of ['dockerd', 'containerd']) await endProcess(name);
  for (const mount of mountsBelow(dir)) run('umount', '-l', mount);
  if (existsSync(`/run/netns/${namespace}`)) run('ip', 'netns', 'delete', namespace);
  for (const hierarchy of readdirSync('/sys/fs/cgroup')) {
    const folder = join('/sys/fs/cgroup', hierarchy, namespace);
    if (existsSync(folder)) run('rmdir', folder);
  }
  rmSync(dir, { recursive: true, force: true });
}

/** Takes the daemon's programs out of the package: installed, it would start by itself and at every boot. */
function fetchBinaries() {
  mkdirSync(at('bin'), { recursive: true });
  if (!findProgram('iptables')) run('apt-get', '-q', 'install', '-y', '--no-install-recommends', 'iptables');
  if (existsSync(at('bin', 'dockerd'))) return;
  const download = at('download');
  mkdirSync(download, { recursive: true });
  run('chmod', '0777', dir, download);
  execFileSync('apt-get', ['-q', 'download', 'docker.io', 'tini'], {
    cwd: download,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (const file of readdirSync(download)) run('dpkg-deb', '-x', join(download, file), at('package'));
  for (const path of [
    'usr/sbin/dockerd',
    'usr/sbin/docker-proxy',
    'usr/bin/docker-proxy',
    'usr/bin/docker-init',
    'usr/bin/tini-static',
  ]) {
    if (existsSync(at('package', path))) run('cp', '-L', at('package', path), at('bin'));
  }
}

/** Starts a program in the peer's network namespace and waits until it is ready. */
async function launch(name, command, ready) {
  const log = openSync(at(`${name}.log`), 'a');
  const env = { ...process.env, PATH: `${at('bin')}:${process.env.PATH}:/usr/sbin:/sbin` };
  // nsenter and not "ip netns exec", which would mount a /sys without control groups.
  const child = spawn('nsenter', [`--net=/run/netns/${namespace}`, ...command], {
    env,
    detached: true,
    stdio: ['ignore', log, log],
  });
  writeFileSync(at(`${name}.pid`), String(child.pid));
  child.unref();
  for (let waited = 0; waited < 30_000; waited += 100) {
    if (await ready()) return;
    if (child.exitCode !== null) break;
    await sleep(100);
  }
  throw new Error(`${name} does not serve; see ${at(`${name}.log`)}`);
}

async function endProcess(name) {
  const pidFile = at(`${name}.pid`);
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8'));
  const ours = () => existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(dir);
  if (ours()) process.kill(pid, 'SIGTERM');
  for (let waited = 0; waited < 30_000 && ours(); waited += 100) await sleep(100);
  if (ours()) process.kill(pid, 'SIGKILL');
}

function mountsBelow(folder) {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '');
  return points.filter((point) => point.startsWith(`${folder}/`)).reverse();
}

function answers() {
  return new Promise((done) => {
    const socket = createConnection(at('docker.sock'));
    const end = (ok) => {
      socket.destroy();
      done(ok);
    };
    socket.setTimeout(2000, () => end(false));
    socket.on('error', () => end(false));
    socket.on('connect', () => socket.write('GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n'));
    socket.on('data', (data) => end(String(data).startsWith('HTTP/1.1 200')));
    socket.on('end', () => end(false));
  });
}
