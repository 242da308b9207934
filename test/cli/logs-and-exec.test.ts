import { readFileSync } from 'node:fs';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const docker = (...args: string[]) => daemon().cli.ok(...args);

test('logs -f follows until the container ends, in order and complete', async () => {
  const script = 'i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo line $i; sleep 0.02; done';
  await docker('run', '-d', '--name', 'counts', 'busybox', 'sh', '-c', script);
  const followed = await docker('logs', '-f', 'counts');
  expect(followed.split('\n')).toEqual(Array.from({ length: 30 }, (_, i) => `line ${i + 1}`));
  expect(await docker('logs', '-n', '2', 'counts')).toBe('line 29\nline 30');
  await docker('rm', 'counts');
});

test('logs with times can be cut by since and until', async () => {
  await docker('run', '--name', 'timed', 'busybox', 'sh', '-c', 'echo early; sleep 1.2; echo late');
  const lines = (await docker('logs', '-t', 'timed')).split('\n');
  expect(lines.map((line) => line.slice(31))).toEqual(['early', 'late']);
  const [first, second] = lines.map((line) => line.slice(0, 30)) as [string, string];
  expect(Date.parse(second) - Date.parse(first)).toBeGreaterThan(1000);
  const between = new Date(Date.parse(first) + 500).toISOString();
  expect(await docker('logs', '--since', between, 'timed')).toBe('late');
  expect(await docker('logs', '--until', between, 'timed')).toBe('early');
  await docker('rm', 'timed');
});

test('the log file is where and what dockerd writes', async () => {
  await docker('run', '--name', 'filed', 'busybox', 'sh', '-c', 'echo "a \\"quoted\\" word"; echo wrong >&2');
  const [info] = JSON.parse(await docker('inspect', 'filed'));
  expect(info.LogPath).toBe(`${daemon().dataRoot}/containers/${info.Id}/${info.Id}-json.log`);
  const entries = readFileSync(info.LogPath, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z$/);
  expect(entries).toContainEqual({ log: 'a "quoted" word\n', stream: 'stdout', time });
  expect(entries).toContainEqual({ log: 'wrong\n', stream: 'stderr', time });
  await docker('rm', 'filed');
});

test('a log with a size limit rotates and still reads as one', async () => {
  const options = ['--log-opt', 'max-size=20k', '--log-opt', 'max-file=3'];
  const script = 'i=0; while [ $i -lt 1000 ]; do i=$((i+1)); echo a line of the log number $i; done';
  await docker('run', '--name', 'turning', ...options, 'busybox', 'sh', '-c', script);
  const lines = (await docker('logs', 'turning')).split('\n');
  expect(lines.at(-1)).toBe('a line of the log number 1000');
  expect(lines.length).toBeLessThan(1000);
  expect(lines.length).toBeGreaterThan(300);
  const numbers = lines.map((line) => Number(line.split(' ').at(-1)));
  expect(numbers).toEqual(numbers.map((_, i) => numbers[0]! + i));
  await docker('rm', 'turning');
});

test('logging none keeps nothing and says that it cannot be read', async () => {
  await docker('run', '--name', 'silent', '--log-driver', 'none', 'busybox', 'echo', 'lost');
  const result = await daemon().cli.run(['logs', 'silent']);
  expect(result.code).toBe(1);
  expect(result.stderr).toContain('configured logging driver does not support reading');
  await docker('rm', 'silent');
});

test('exec runs beside the first process, with its own streams, user, folder and exit code', async () => {
  await docker('run', '-d', '--name', 'host1', '-e', 'BASE=1', 'busybox', 'sleep', '600');
  const script = 'echo $BASE $MORE; id -un; pwd; echo wrong >&2; exit 6';
  const args = ['exec', '-e', 'MORE=2', '-u', 'nobody', '-w', '/tmp', 'host1', 'sh', '-c', script];
  expect(await daemon().cli.run(args)).toEqual({ code: 6, stdout: '1 2\nnobody\n/tmp\n', stderr: 'wrong\n' });
  const piped = await daemon().cli.run(['exec', '-i', 'host1', 'wc', '-c'], { input: '12345' });
  expect(piped).toMatchObject({ code: 0, stdout: '5\n' });
  await docker('exec', '-d', 'host1', 'touch', '/made');
  await eventually('the detached command', async () => (await docker('exec', 'host1', 'ls', '/made')) === '/made');
  const absent = await daemon().cli.run(['exec', 'host1', 'no-such-command']);
  expect(absent.code).toBe(127);
  expect(absent.stdout).toContain('executable file not found in $PATH');
  const astray = await daemon().cli.run(['exec', '-w', '/no/such/folder', 'host1', 'true']);
  expect(astray).toMatchObject({ code: 127, stdout: expect.stringContaining('no such file or directory') });
  await docker('rm', '-f', 'host1');
});

test('exec -it has a terminal that follows the size of the window', async () => {
  await docker('run', '-d', '--name', 'host2', 'busybox', 'sleep', '600');
  const terminal = daemon().cli.startOnTerminal(['exec', '-it', 'host2', 'sh']);
  await terminal.shows(/\/ # /);
  await terminal.resize(19, 77);
  await eventually('the new size to arrive', async () => {
    terminal.type('stty size\r');
    await new Promise((resolve) => setTimeout(resolve, 200));
    return /19 77/.test(terminal.stdout);
  });
  terminal.type('exit 3\r');
  expect((await terminal.end()).code).toBe(3);
  await docker('rm', '-f', 'host2');
});
