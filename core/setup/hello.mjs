#!/usr/bin/env node
// Something to run with no registry within reach: an image made from the static busybox, a container with a volume and
// a published port, a page fetched from it. Uses the daemon at DOCKER_HOST or /run/docker.sock, or else a private one.
import { existsSync } from 'node:fs';
import { connect } from './hello/api.mjs';
import { busyboxArchive } from './hello/image.mjs';
import { startPrivateDaemon } from './hello/private-daemon.mjs';

const image = 'gantry/hello:latest';
const volume = `gantry-hello-${process.pid}`;
const container = volume;
const undo = [];

try {
  const api = await reachDaemon();
  await hello(api);
} catch (error) {
  console.error(`\nhello: ${error.message}`);
  process.exitCode = 1;
} finally {
  for (const step of undo.reverse()) {
    await step().catch((error) => {
      console.error(`hello: cleaning up: ${error.message}`);
      process.exitCode = 1;
    });
  }
}

async function reachDaemon() {
  const address = process.env.DOCKER_HOST ?? 'unix:///run/docker.sock';
  const api = connect(address);
  const found = address.startsWith('unix://') && !existsSync(address.slice(7)) ? undefined : await api.ping();
  if (found) {
    say('daemon', `${found} at ${address}`);
    return api;
  }
  if (process.env.DOCKER_HOST) throw new Error(`nothing answers at DOCKER_HOST=${address}`);
  say('daemon', `none at ${address}: starting a private one, which ends with this command`);
  const daemon = await startPrivateDaemon();
  undo.push(daemon.stop);
  return connect(daemon.address);
}

async function hello(api) {
  const loaded = await api.post('/images/load?quiet=1', { body: busyboxArchive(image), type: 'application/x-tar' });
  undo.push(() => api.delete(`/images/${image}`));
  say('image', `${firstStream(loaded)}, made from the static busybox`);

  await api.post('/volumes/create', { json: { Name: volume } });
  undo.push(() => api.delete(`/volumes/${volume}`));
  say('volume', volume);

  const page = 'echo "Hello from $(hostname), kernel $(uname -r), pid $$" > /data/index.html';
  const { Id: id } = JSON.parse(
    await api.post(`/containers/create?name=${container}`, {
      json: {
        Image: image,
        Cmd: ['sh', '-c', `${page} && exec httpd -f -v -p 80 -h /data`],
        ExposedPorts: { '80/tcp': {} },
        HostConfig: {
          Binds: [`${volume}:/data`],
          PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '0' }] },
        },
      },
    }),
  );
  undo.push(() => api.delete(`/containers/${id}?force=1`));
  await api.post(`/containers/${id}/start`);
  const { NetworkSettings, State } = JSON.parse(await api.get(`/containers/${id}/json`));
  const port = NetworkSettings.Ports['80/tcp'][0].HostPort;
  say('container', `${container} (${id.slice(0, 12)}), pid ${State.Pid}, port 80 published at 127.0.0.1:${port}`);

  const answer = await fetchPage(`http://127.0.0.1:${port}/`);
  say('page', `http://127.0.0.1:${port}/ says "${answer.trim()}"`);
  console.log('\nAll of it worked; the container, its volume and the image are removed again.');
}

async function fetchPage(url) {
  let cause;
  for (let attempt = 0; attempt < 50; attempt++) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
      if (response.ok) return await response.text();
      cause = new Error(`status ${response.status}`);
    } catch (error) {
      cause = error.cause ?? error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the published port does not answer: ${cause.message}`);
}

function firstStream(lines) {
  const line = lines.split('\n').find((text) => text.includes('"stream"'));
  return line ? JSON.parse(line).stream.trim() : `loaded ${image}`;
}

function say(what, text) {
  console.log(`${what.padEnd(10)} ${text}`);
}
