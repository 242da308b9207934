import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';
import { freePort } from '../support/registry';

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const docker = (...args: string[]) => daemon().cli.ok(...args);

test('run --rm prints what the command says and leaves no container', async () => {
  expect(await docker('run', '--rm', 'busybox', 'echo', 'hello there')).toBe('hello there');
  expect(await docker('ps', '-aq')).toBe('');
});

test('standard error stays apart from standard output', async () => {
  const result = await daemon().cli.run(['run', '--rm', 'busybox', 'sh', '-c', 'echo out; echo err >&2']);
  expect(result).toEqual({ code: 0, stdout: 'out\n', stderr: 'err\n' });
});

test('a pipe into run -i ends standard input and still delivers the output', async () => {
  const result = await daemon().cli.run(['run', '--rm', '-i', 'busybox', 'cat'], { input: 'hi\n' });
  expect(result).toEqual({ code: 0, stdout: 'hi\n', stderr: '' });
  const late = ['run', '--rm', '-i', 'busybox', 'sh', '-c', 'wc -c; sleep 1; echo after the end'];
  expect((await daemon().cli.run(late, { input: Buffer.alloc(3_000_000, 'x') })).stdout).toBe(
    '3000000\nafter the end\n',
  );
});

test.each([
  [0, ['true']],
  [1, ['false']],
  [42, ['sh', '-c', 'exit 42']],
  [137, ['sh', '-c', 'kill -9 $$']],
  [143, ['sh', '-c', 'kill -15 $$; sleep 5']],
])('exit code %i of the command is the exit code of run', async (code, command) => {
  // As process 1 of its namespace a shell ignores its own signals; below --init's stand-in it does not.
  const wrapped = code > 128 ? ['sh', '-c', `${command.map((word) => `'${word}'`).join(' ')}; exit $?`] : command;
  expect((await daemon().cli.run(['run', '--rm', 'busybox', ...wrapped])).code).toBe(code);
});

test('a command that is not there is exit code 127 and says so', async () => {
  const result = await daemon().cli.run(['run', '--name', 'absent', 'busybox', 'no-such-command']);
  expect(result.code).toBe(127);
  expect(result.stderr).toMatch(/exec: "no-such-command": executable file not found in \$PATH/);
  expect(await docker('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'absent')).toBe('created 127');
  await docker('rm', 'absent');
});

test('a command that cannot be executed is exit code 126', async () => {
  const result = await daemon().cli.run(['run', '--rm', 'busybox', '/etc']);
  expect(result.code).toBe(126);
  expect(result.stderr).toMatch(/permission denied|is a directory/);
});

test('an image that is not there is exit code 125', async () => {
  const result = await daemon().cli.run(['run', '--rm', '--pull', 'never', 'nothing/here:1', 'true']);
  expect(result.code).toBe(125);
  expect(result.stderr).toMatch(/No such image: nothing\/here:1/);
});

test('run -it has a terminal that takes keys and follows the size of the window', async () => {
  const terminal = daemon().cli.startOnTerminal(['run', '--rm', '-it', '--name', 'window', 'busybox', 'sh']);
  await terminal.shows(/\/ # /);
  terminal.type('tty\r');
  await terminal.shows(/\/dev\/(pts\/0|console)/);
  await terminal.resize(31, 97);
  await eventually('the new size to arrive', async () => {
    terminal.type('stty size\r');
    await new Promise((resolve) => setTimeout(resolve, 200));
    return /31 97/.test(terminal.stdout);
  });
  terminal.type('exit 7\r');
  expect((await terminal.end()).code).toBe(7);
});

test('run -d with a published port and a volume serves the page to the host', async () => {
  const port = await freePort();
  const script = 'echo page one > /data/index.html; exec httpd -f -p 80 -h /data';
  await docker('run', '-d', '--name', 'web', '-p', `${port}:80`, '-v', 'data:/data', 'busybox', 'sh', '-c', script);
  expect(await eventually('the published port', () => fetchText(port))).toBe('page one\n');
  expect(await docker('port', 'web', '80/tcp')).toContain(`0.0.0.0:${port}`);
  expect(await docker('run', '--rm', '-v', 'data:/again', 'busybox', 'cat', '/again/index.html')).toBe('page one');
  await docker('rm', '-f', 'web');
  await expect(fetchText(port)).rejects.toThrow();
  await docker('volume', 'rm', 'data');
});

test('a port without a number is given a free one', async () => {
  await docker('run', '-d', '--name', 'any', '-p', '127.0.0.1::80', 'busybox', 'httpd', '-f', '-p', '80', '-h', '/etc');
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(await docker('port', 'any', '80'))?.[1]);
  expect(port).toBeGreaterThan(1023);
  expect(await eventually('the published port', () => fetchText(port, '/group'))).toContain('root:x:0');
  await docker('rm', '-f', 'any');
});

test('environment, user, working folder, host name and entry point are as asked', async () => {
  const args = ['-e', 'COLOUR=green', '-u', 'nobody', '-w', '/tmp', '-h', 'box', '--entrypoint', 'sh'];
  const said = await docker('run', '--rm', ...args, 'busybox', '-c', 'echo $COLOUR; id -un; pwd; hostname');
  expect(said.split('\n')).toEqual(['green', 'nobody', '/tmp', 'box']);
});

test('the root file system can be read-only, with a tmpfs to write to', async () => {
  const script = 'touch /no 2>&1; touch /scratch/yes && echo wrote';
  const said = await docker('run', '--rm', '--read-only', '--tmpfs', '/scratch', 'busybox', 'sh', '-c', script);
  expect(said).toMatch(/Read-only file system\nwrote$/);
});

test('a folder of the host is the same folder inside', async () => {
  const script = 'echo from inside > /mnt/file; stat -c %u /mnt/file';
  const folder = daemon().folder;
  expect(await docker('run', '--rm', '-v', `${folder}/shared:/mnt`, 'busybox', 'sh', '-c', script)).toBe('0');
  expect(await docker('run', '--rm', '-v', `${folder}/shared:/m:ro`, 'busybox', 'cat', '/m/file')).toBe('from inside');
  const write = await daemon().cli.run(['run', '--rm', '-v', `${folder}/shared:/m:ro`, 'busybox', 'touch', '/m/file']);
  expect(write.stderr).toContain('Read-only file system');
});

test('memory, process and processor limits reach the control groups', async () => {
  const limits = ['--memory', '64m', '--pids-limit', '50', '--cpus', '0.5'];
  await docker('run', '-d', '--name', 'small', ...limits, 'busybox', 'sleep', '600');
  const { Id, HostConfig } = (await daemon().api.get('/containers/small/json')).json();
  expect(HostConfig).toMatchObject({ Memory: 67108864, PidsLimit: 50, NanoCpus: 500000000 });
  const read = (v1: string, v2: string) =>
    docker('exec', 'small', 'sh', '-c', `cat /sys/fs/cgroup/${v1} 2>/dev/null || cat /sys/fs/cgroup/${v2}`);
  expect(await read('memory/memory.limit_in_bytes', 'memory.max')).toBe('67108864');
  expect(await read('pids/pids.max', 'pids.max')).toBe('50');
  expect(await read('cpu/cpu.cfs_quota_us', 'cpu.max')).toMatch(/^50000\b/);
  expect(Id).toHaveLength(64);
  await docker('rm', '-f', 'small');
});

test('capabilities and the system call filter are those of an ordinary container', async () => {
  const status = await docker('run', '--rm', 'busybox', 'cat', '/proc/self/status');
  expect(status).toMatch(/CapEff:\s+00000000a80425fb/);
  expect(status).toMatch(/Seccomp:\s+2/);
  const privileged = await docker('run', '--rm', '--privileged', 'busybox', 'cat', '/proc/self/status');
  // All that this machine has to give, which need not be all that the kernel knows.
  const all = /CapBnd:\s+(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1];
  expect(/CapEff:\s+(\w+)/.exec(privileged)![1]).toBe(all);
  expect(privileged).toMatch(/Seccomp:\s+0/);
  const masked = await docker('run', '--rm', 'busybox', 'sh', '-c', 'cat /proc/kcore | wc -c; ls /proc/acpi | wc -l');
  expect(masked).toBe('0\n0');
});

test('run --init puts a small init in front, which passes signals on and reaps', async () => {
  await docker('run', '-d', '--init', '--name', 'tidy', 'busybox', 'sh', '-c', '(sleep 0.1 &) ; exec sleep 600');
  expect(await docker('exec', 'tidy', 'cat', '/proc/1/comm')).toMatch(/init|tini/);
  await eventually('no zombie', async () => !(await docker('exec', 'tidy', 'ps')).includes('[sleep]'));
  await docker('stop', '-t', '20', 'tidy');
  expect(await docker('inspect', '-f', '{{.State.ExitCode}}', 'tidy')).toBe('143');
  await docker('rm', 'tidy');
});

test('host and none networks', async () => {
  expect(await docker('run', '--rm', '--network', 'none', 'busybox', 'ls', '/sys/class/net')).toBe('lo');
  const inside = await docker('run', '--rm', '--network', 'host', 'busybox', 'ls', '/sys/class/net');
  expect(inside.split(/\s+/)).toContain(daemon().bridge);
});

function fetchText(port: number, path = '/'): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path, agent: false, timeout: 3000 }, (response) => {
      let text = '';
      response.on('data', (data) => {
        text += data;
      });
      response.on('end', () => resolve(text));
    });
    call.on('timeout', () => call.destroy(new Error('no answer')));
    call.on('error', reject);
    call.end();
  });
}
