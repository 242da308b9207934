import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';
import { LineReceiver } from '../support/line-receiver';
import { firstMiscount } from '../support/numbered-output';

const lines = 3000;
const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const docker = (...args: string[]) => daemon().cli.ok(...args);
const spools = () =>
  readdirSync(join(daemon().dataRoot, 'containers')).filter((id) =>
    existsSync(join(daemon().dataRoot, 'containers', id, 'log-spool')),
  );

/** A container that prints numbers when it is told to. */
async function startCounter(name: string, driver: string, options: Readonly<Record<string, string>>) {
  const flags = Object.entries(options).flatMap(([option, value]) => ['--log-opt', `${option}=${value}`]);
  const script = `while [ ! -e /go ]; do usleep 50000; done; seq 1 ${lines}; [ -e /stay ] && sleep 600`;
  const image = ['--network', 'none', 'busybox', 'sh', '-c', script];
  await docker('run', '-d', '--name', name, '--log-driver', driver, ...flags, ...image);
  const pid = await docker('inspect', '-f', '{{.State.Pid}}', name);
  return {
    print: ({ stays = false } = {}) => {
      if (stays) writeFileSync(`/proc/${pid}/root/stay`, '');
      writeFileSync(`/proc/${pid}/root/go`, '');
    },
    ended: () => eventually('the container to end', () => !existsSync(`/proc/${pid}`)),
  };
}

async function expectNoneMissing(name: string): Promise<void> {
  expect(firstMiscount((await docker('logs', name)).split('\n'), lines)).toBeUndefined();
}

test('a container that ends before its sink was ever reachable for this daemon has all it printed delivered later', async () => {
  const first = new LineReceiver();
  const address = await first.listen();
  const counter = await startCounter('late', 'syslog', { 'syslog-address': address });
  await first.close();
  await daemon().kill();
  counter.print();
  await counter.ended();
  await daemon().start();
  await docker('wait', 'late');
  await expectNoneMissing('late');
  const receiver = new LineReceiver();
  await receiver.listen(Number(new URL(address).port));
  try {
    await eventually('every line', () => receiver.lines === lines, 30_000);
    await eventually('nothing to be kept', () => spools().length === 0);
  } finally {
    await docker('rm', '-f', 'late');
    await receiver.close();
  }
}, 60_000);

test('what a collector did not take is on disk: a daemon that is killed then loses none of it', async () => {
  const received: string[] = [];
  let status = 503;
  const collector = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts).toString();
      if (status === 200)
        for (const event of body.split(/(?<=})(?={"event")/)) received.push(JSON.parse(event).event.line);
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  try {
    const counter = await startCounter('posted', 'splunk', {
      'splunk-url': `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
      'splunk-token': 'secret',
      'splunk-verify-connection': 'false',
    });
    counter.print({ stays: true });
    await eventually('its output to be kept', () => spools().length === 1);
    await daemon().kill();
    status = 200;
    await daemon().start();
    await eventually('everything to be delivered', () => received.length >= lines && spools().length === 0, 30_000);
    expect(firstMiscount(received, lines)).toBeUndefined();
  } finally {
    await docker('rm', '-f', 'posted');
    collector.closeAllConnections();
    collector.close();
  }
}, 60_000);
