import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { DiaryPlugin } from '../support/diary-plugin';
import { eventually, sleep } from '../support/eventually';
import { firstMiscount, miscounts, startCounting, untilCounted } from '../support/numbered-output';

/** Lines of all ten containers together. The long drill: GANTRY_LOG_LINES=1000000. */
const allLines = Number(process.env.GANTRY_LOG_LINES ?? 40_000);
const isLong = process.env.GANTRY_LOG_LINES !== undefined;
const containers = 10;
const lines = allLines / containers;

const diary = DiaryPlugin.forSuite('diary');
const journal = DiaryPlugin.forSuite('journal', '--write-only');
const daemon = daemonForSuite({
  config: { plugins: { diary: { socket: diary.socket }, journal: { socket: journal.socket } } },
  tidy: (each) => each.removeEverything(),
});
const docker = (...args: string[]) => daemon().cli.ok(...args);
const spools = () =>
  readdirSync(join(daemon().dataRoot, 'containers')).filter((id) =>
    existsSync(join(daemon().dataRoot, 'containers', id, 'log-spool')),
  );

test.each([
  ['diary', diary],
  ['journal', journal],
] as const)(
  'no line is lost or moved while the log plugin %s is killed every second',
  async (driver, plugin) => {
    const options = ['--log-driver', driver, '--log-opt', 'cache-max-size=50m'];
    const counting = { containers, lines, options, seconds: isLong ? 60 : 5 };
    await startCounting(daemon(), counting);
    let kills = 0;
    while ((await docker('ps', '-q')) !== '') {
      await plugin.kill();
      kills++;
      await plugin.start();
      await sleep(1000);
    }
    await untilCounted(daemon(), counting);
    await eventually('everything to be delivered', async () => spools().length === 0, 60_000);
    if (isLong) console.log(`${allLines} lines, ${driver} was killed ${kills} times`);
    expect(await miscounts(daemon(), counting)).toEqual([]);
    await Promise.all(Array.from({ length: containers }, (_, index) => docker('rm', '-f', `counter${index}`)));
  },
  isLong ? 600_000 : 60_000,
);

test('a container whose log plugin is gone runs on, is killed and removed within a second, and is delivered later', async () => {
  const script =
    'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo "$i of a line that fills a pipe soon"; done; sleep 600';
  for (const name of ['kept', 'gone'])
    await docker('run', '-d', '--name', name, '--log-driver', 'diary', 'busybox', 'sh', '-c', `sleep 1; ${script}`);
  await diary.kill();
  await eventually('the spools', () => spools().length === 2);
  await sleep(500);
  for (const args of [
    ['kill', 'kept'],
    ['rm', '-f', 'gone'],
  ]) {
    const before = Date.now();
    await docker(...args);
    await docker('wait', 'kept');
    expect(Date.now() - before).toBeLessThan(2000);
  }
  await eventually('one spool to be left', () => spools().length === 1);
  await daemon().stop();
  await daemon().start();
  await diary.start();
  await eventually('the rest to be delivered', () => spools().length === 0, 30_000);
  const numbers = (await docker('logs', 'kept')).split('\n').map((line) => line.split(' ')[0]!);
  expect(firstMiscount(numbers, 3000)).toBeUndefined();
  await docker('rm', 'kept');
}, 60_000);

test('what is in a FIFO when plugin and daemon die, and what a container prints until its end without both, is delivered', async () => {
  const until = (file: string) => `while [ ! -e /${file} ]; do usleep 50000; done`;
  const script = `seq 1 100; ${until('second')}; seq 101 200; touch /printed; ${until('third')}; seq 201 2000`;
  await docker('run', '-d', '--name', 'orphan', '--log-driver', 'diary', 'busybox', 'sh', '-c', script);
  await eventually('the first lines', async () => (await docker('logs', 'orphan')).endsWith('100'));
  const pid = await docker('inspect', '-f', '{{.State.Pid}}', 'orphan');
  diary.freeze();
  writeFileSync(`/proc/${pid}/root/second`, '');
  await eventually('more lines', () => existsSync(`/proc/${pid}/root/printed`));
  await diary.kill();
  await eventually('them to be on disk', () => spools().length === 1);
  await daemon().kill();
  writeFileSync(`/proc/${pid}/root/third`, '');
  await eventually('the container to end', () => !existsSync(`/proc/${pid}`));
  await diary.start();
  await daemon().start();
  await docker('wait', 'orphan');
  await eventually('the rest to be delivered', () => spools().length === 0, 30_000);
  const numbers = (await docker('logs', 'orphan')).split('\n');
  expect(firstMiscount(numbers, 2000)).toBeUndefined();
  await docker('rm', 'orphan');
}, 60_000);
