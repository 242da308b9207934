import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createContainer, startContainer } from '../support/containers';
import { daemonForSuite } from '../support/daemon';

const unified = existsSync('/sys/fs/cgroup/cgroup.controllers');
const daemon = daemonForSuite({
  tidy: (each) => each.removeEverything(),
  // Shares of real-time scheduling come from the groups above.
  args: unified ? [] : ['--cpu-rt-period=1000000', '--cpu-rt-runtime=100000'],
});
const docker = (...args: string[]) => daemon().cli.ok(...args);
const hostConfig = async (id: string) => (await daemon().api.get(`/containers/${id}/json`)).json().HostConfig;

interface Shown {
  /** File below `test/`, and the title of the test in it. */
  readonly file: string;
  readonly title: string;
  /** Its flags as the test writes them. */
  readonly flags: string;
}

/** What each command is shown by. `docker run` and `docker create` have a table of their own: create-flags.test.ts. */
const shown: Record<string, readonly Shown[]> = {
  exec: [
    {
      file: 'cli/exec-and-attach.test.ts',
      title: 'exec takes every flag the client has',
      flags: '-d --detach-keys --env --env-file -i --privileged -t --user --workdir',
    },
  ],
  attach: [
    {
      file: 'cli/exec-and-attach.test.ts',
      title: 'attach takes every flag the client has',
      flags: '--detach-keys --no-stdin --sig-proxy',
    },
  ],
  cp: [
    {
      file: 'cli/copy.test.ts',
      title: 'a tree with links, devices, a fifo, modes, owners and times goes in and comes back as it was',
      flags: '-a',
    },
    { file: 'cli/copy.test.ts', title: 'cp -L follows a link, cp without it copies the link', flags: '-L -q' },
  ],
  commit: [
    {
      file: 'cli/commit.test.ts',
      title: 'an image made of a running container has its files, deletions, links and names',
      flags: '-a -m -c',
    },
    { file: 'cli/help-flags.test.ts', title: 'commit need not hold the container up', flags: '--pause' },
  ],
  update: [
    {
      file: 'cli/observe.test.ts',
      title: 'update changes limits and the restart policy of a running container',
      flags:
        '-m --memory-swap --memory-reservation --cpu-shares --cpu-period --cpu-quota --cpuset-cpus --cpuset-mems --pids-limit --restart',
    },
    {
      file: 'cli/help-flags.test.ts',
      title: 'update takes the flags that go with no others',
      flags: '--cpus --blkio-weight --cpu-rt-period --cpu-rt-runtime',
    },
  ],
  stats: [
    {
      file: 'cli/observe.test.ts',
      title: 'statistics are the numbers of the control groups',
      flags: '-a --format --no-stream --no-trunc',
    },
  ],
  top: [],
  wait: [],
};

test('every flag that the help of these commands lists is given in a test', async () => {
  const missing: string[] = [];
  for (const [command, tests] of Object.entries(shown)) {
    const given = new Set<string>();
    for (const { file, title, flags } of tests) {
      const text = bodyOf(file, title);
      for (const flag of flags.split(' ')) if (isIn(text, flag)) given.add(flag);
    }
    const help = await docker(command, '--help');
    for (const [, short, long] of help.matchAll(/^ {2,6}(?:(-\w), )?(--[a-z0-9-]+)/gm))
      if (long !== '--help' && !given.has(long!) && !(short && given.has(short))) missing.push(`${command} ${long}`);
  }
  expect(missing).toEqual([]);
});

/** From the title of a test to the next test. */
function bodyOf(file: string, title: string): string {
  const text = readFileSync(join(__dirname, '..', file), 'utf8');
  const from = text.indexOf(`('${title}'`);
  if (from < 0) throw new Error(`${file} has no test "${title}"`);
  const end = text.indexOf('\ntest', from);
  return text.slice(from, end < 0 ? undefined : end);
}

/** `'--flag'`, `'--flag=…'`, or a letter among others: `'-it'`. */
function isIn(text: string, flag: string): boolean {
  if (flag.startsWith('--')) return text.includes(`'${flag}'`) || text.includes(`'${flag}=`);
  return [...text.matchAll(/'-([A-Za-z]+)'/g)].some(([, letters]) => letters!.includes(flag[1]!));
}

test('commit need not hold the container up', async () => {
  const id = await startContainer(daemon(), {}, 'working');
  await docker('commit', '--pause=false', 'working', 'snapshot');
  const filters = encodeURIComponent(JSON.stringify({ container: [id] }));
  const until = Math.ceil(Date.now() / 1000) + 1;
  const { text } = await daemon().api.get(`/events?since=1&until=${until}&filters=${filters}`);
  const actions = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).Action);
  expect(actions).toContain('commit');
  expect(actions).not.toContain('pause');
  await docker('rm', '-f', 'working');
  await docker('rmi', 'snapshot');
});

test('update takes the flags that go with no others', async () => {
  const half = await startContainer(daemon(), {}, 'half');
  await docker('update', '--cpus', '0.5', 'half');
  expect((await hostConfig(half)).NanoCpus).toBe(500_000_000);
  const weighed = await createContainer(daemon(), {}, 'weighed');
  const answer = await daemon().cli.run(['update', '--blkio-weight', '300', 'weighed']);
  expect(answer.code).toBe(0);
  // Kernels without the scheduler that knows weights say so.
  if ((await hostConfig(weighed)).BlkioWeight !== 300) expect(answer.stderr + answer.stdout).toContain('weight');
  const real = await daemon().cli.run(['update', '--cpu-rt-period', '900000', '--cpu-rt-runtime', '40000', 'half']);
  if (unified) expect(real.stderr).toContain('kernel does not support CPU real-time scheduler');
  else expect(await hostConfig(half)).toMatchObject({ CpuRealtimePeriod: 900_000, CpuRealtimeRuntime: 40_000 });
  await docker('rm', '-f', 'half', 'weighed');
});
