// Waits until the daemon answers and says what to type next. Ends with the daemon, or after a minute.
//
//   node announce.mjs <pid of the daemon> [the daemon's arguments]
import { existsSync, readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { findProgram } from './system-packages.mjs';

const [pid, ...args] = process.argv.slice(2);
const quiet = args.some((arg) => ['--help', '-h', '--version', '-v', '--validate'].includes(arg));
const alive = () => existsSync(`/proc/${pid}`);
const deadline = Date.now() + 60_000;

const hosts = hostsFromArguments(args) ?? hostsFromFile(args) ?? ['unix:///run/docker.sock'];
const host = hosts.find((h) => h.startsWith('unix://')) ?? hosts[0];

if (!quiet) {
  while (alive() && Date.now() < deadline) {
    if (await answers(host)) {
      console.log(nextSteps());
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function nextSteps() {
  const isDefault = ['unix:///run/docker.sock', 'unix:///var/run/docker.sock'].includes(host);
  const prefix = isDefault ? '' : `-H ${host} `;
  const hello = isDefault ? 'npm run hello' : `DOCKER_HOST=${host} npm run hello`;
  const commands = [[hello, 'a container with a port and a volume; needs no registry']];
  if (findProgram('docker')) {
    commands.push([`docker ${prefix}run --rm busybox echo hi`, 'any image, when a registry is within reach']);
    commands.push([`docker ${prefix}ps`, 'what runs']);
  } else {
    commands.push(['docker ps', 'with any docker client; there is none on this machine yet']);
  }
  const width = Math.max(...commands.map(([command]) => command.length));
  const lines = ['', `The daemon serves on ${host}. In another terminal:`, ''];
  lines.push(...commands.map(([command, what]) => `  ${command.padEnd(width)}   ${what}`));
  return [...lines, '', 'Stop it with ^C.', ''].join('\n');
}

function hostsFromArguments(list) {
  const found = [];
  for (let i = 0; i < list.length; i++) {
    const match = /^(?:-H=?|--host=)(.+)$/.exec(list[i]);
    if (match) found.push(match[1]);
    else if ((list[i] === '-H' || list[i] === '--host') && list[i + 1]) found.push(list[++i]);
  }
  return found.length ? found : undefined;
}

function hostsFromFile(list) {
  const at = list.findIndex((arg) => arg === '--config-file' || arg.startsWith('--config-file='));
  const path = at < 0 ? '/etc/docker/daemon.json' : (list[at].split('=')[1] ?? list[at + 1]);
  try {
    const { hosts: listed } = JSON.parse(readFileSync(path, 'utf8'));
    return Array.isArray(listed) && listed.length ? listed : undefined;
  } catch {
    return undefined; // The daemon itself reports a bad file.
  }
}

function answers(address) {
  const tcp = /^tcp:\/\/([^:]+):(\d+)/.exec(address);
  const target = tcp ? { host: tcp[1], port: Number(tcp[2]) } : { path: address.replace(/^unix:\/\//, '') };
  return new Promise((resolve) => {
    const socket = createConnection(target);
    const end = (ok) => {
      socket.destroy();
      resolve(ok);
    };
    socket.setTimeout(2000, () => end(false));
    socket.on('error', () => end(false));
    socket.on('connect', () => socket.write('GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n'));
    socket.on('data', (data) => end(/^HTTP\/1\.1 200/.test(String(data))));
    socket.on('end', () => end(false));
  });
}
