// One engine under measurement: its API on a unix socket, the docker client bound to it, and its processes.
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import http from 'node:http';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';

export const image = 'gantry-bench:latest';

export class Engine {
  /**
   * @param label how the report calls it
   * @param address "unix:///path"
   * @param scratch a folder for the client's configuration
   */
  constructor(label, address, scratch) {
    if (!address.startsWith('unix://')) throw new Error(`${address}: only unix:// sockets can be measured`);
    this.label = label;
    this.socketPath = address.slice('unix://'.length);
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 128 });
    const config = join(scratch, `client-${label}`);
    mkdirSync(config, { recursive: true });
    this.env = {
      PATH: process.env.PATH,
      HOME: config,
      DOCKER_CONFIG: config,
      DOCKER_HOST: address,
      DOCKER_CLI_HINTS: 'false',
    };
    this.serial = 0;
  }

  name(what) {
    return `bench-${this.label}-${what}-${process.pid}-${this.serial++}`;
  }

  /** One API call; resolves to status and body, rejects on a status of 400 or more. `onData` takes the body instead. */
  call(
    method,
    path,
    { json, body = json === undefined ? '' : JSON.stringify(json), type = 'application/json', onData } = {},
  ) {
    const headers = { Host: 'docker', 'Content-Type': type };
    const streamed = typeof body.pipe === 'function';
    if (!streamed) headers['Content-Length'] = Buffer.byteLength(body);
    return new Promise((resolve, reject) => {
      const request = http.request(
        { socketPath: this.socketPath, agent: this.agent, method, path, headers },
        (response) => {
          const parts = [];
          response.on('data', (part) => (onData && response.statusCode < 400 ? onData(part) : parts.push(part)));
          response.on('error', reject);
          response.on('end', () => {
            const text = String(Buffer.concat(parts));
            if (response.statusCode >= 400)
              reject(new Error(`${this.label}: ${method} ${path}: ${response.statusCode} ${text}`));
            else resolve(text);
          });
        },
      );
      request.setTimeout(180_000, () => request.destroy(new Error(`${this.label}: ${method} ${path}: no answer`)));
      request.on('error', reject);
      if (streamed) body.pipe(request);
      else request.end(body);
    });
  }

  async create(what, config = {}, hostConfig = {}) {
    const json = { Image: image, Cmd: ['sleep', '1000000'], StopSignal: 'SIGKILL', ...config, HostConfig: hostConfig };
    return JSON.parse(await this.call('POST', `/containers/create?name=${this.name(what)}`, { json })).Id;
  }

  start(id) {
    return this.call('POST', `/containers/${id}/start`);
  }

  remove(id) {
    return this.call('DELETE', `/containers/${id}?force=1&v=1`);
  }

  /** Starts an exec and reads its output to the end. */
  exec(id, command) {
    return this.call('POST', `/containers/${id}/exec`, {
      json: { AttachStdout: true, AttachStderr: true, Cmd: command },
    }).then((answer) => {
      const body = JSON.stringify({ Detach: false, Tty: false });
      const headers = {
        Host: 'docker',
        Connection: 'Upgrade',
        Upgrade: 'tcp',
        'Content-Type': 'application/json',
        'Content-Length': body.length,
      };
      const path = `/exec/${JSON.parse(answer).Id}/start`;
      return new Promise((resolve, reject) => {
        const request = http.request({ socketPath: this.socketPath, agent: false, method: 'POST', path, headers });
        request.on('upgrade', (_response, socket) => {
          socket.on('error', reject);
          socket.on('close', resolve);
          socket.on('end', () => socket.end());
          socket.resume();
        });
        request.on('response', (response) => reject(new Error(`${this.label}: exec: ${response.statusCode}`)));
        request.on('error', reject);
        request.end(body);
      });
    });
  }

  /** Runs the docker client; milliseconds until it ended well. */
  cli(args, { input } = {}) {
    const startedAt = performance.now();
    return new Promise((resolve, reject) => {
      const child = spawn('docker', args, { env: this.env, stdio: [input ?? 'ignore', 'ignore', 'pipe'] });
      let said = '';
      child.stderr.on('data', (data) => {
        said += data;
      });
      child.on('error', reject);
      child.on('close', (code) => {
        if (code === 0) resolve(performance.now() - startedAt);
        else reject(new Error(`${this.label}: docker ${args.join(' ')}: exit code ${code}: ${said.trim()}`));
      });
    });
  }

  /** The process that serves the socket; it lives in the network the engine publishes ports on. */
  daemonPid() {
    return daemonOf(this.socketPath);
  }

  /** Proportional memory in MiB of the daemon and everything that helps it, containers left out. */
  memoryMiB() {
    let kib = 0;
    for (const pid of this.processes())
      kib += Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
    return kib / 1024;
  }

  processes() {
    const folder = ['/run', '/var/run'].includes(dirname(this.socketPath))
      ? '/run/gantry/'
      : `${dirname(this.socketPath)}/`;
    const daemon = daemonOf(this.socketPath);
    const ownNamespace = link('/proc/self/ns/pid');
    const found = new Set([daemon]);
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    const parents = new Map(
      pids.map((pid) => [
        pid,
        read(`/proc/${pid}/stat`)
          .replace(/^.*\) . /s, '')
          .split(' ')[0],
      ]),
    );
    for (const pid of pids) {
      if (pid === String(process.pid) || link(`/proc/${pid}/ns/pid`) !== ownNamespace) continue;
      let ancestor = pid;
      while (ancestor && ancestor !== daemon && ancestor !== '0') ancestor = parents.get(ancestor);
      const own = parents.get(pid) === String(process.pid);
      if (
        ancestor === daemon ||
        (!own && (read(`/proc/${pid}/cmdline`).includes(folder) || link(`/proc/${pid}/cwd`).startsWith(folder)))
      )
        found.add(pid);
    }
    return found;
  }
}

/** The process that listens on a unix socket, in whatever network namespace; the parent where a child shares it. */
function daemonOf(socketPath) {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const listening = '00010000';
  const inodes = new Set();
  const seen = new Set();
  for (const pid of pids) {
    const namespace = link(`/proc/${pid}/ns/net`);
    if (seen.has(namespace)) continue;
    seen.add(namespace);
    for (const line of read(`/proc/${pid}/net/unix`).split('\n')) {
      const fields = line.trim().split(/\s+/);
      if (fields[7] === socketPath && fields[3] === listening) inodes.add(`socket:[${fields[6]}]`);
    }
  }
  const owner = pids.find((pid) => descriptors(pid).some((target) => inodes.has(target)));
  if (!owner) throw new Error(`no process listens on ${socketPath}`);
  return owner;
}

function descriptors(pid) {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => link(`/proc/${pid}/fd/${fd}`));
  } catch {
    return [];
  }
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function link(path) {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
