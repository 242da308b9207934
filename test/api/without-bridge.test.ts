import { outputOf } from '../support/containers';
import { daemonForSuite } from '../support/daemon';

const daemon = daemonForSuite({ args: ['--bridge=none'] });

test.each([{}, { NetworkMode: 'bridge' }])(
  'without a default bridge a container with %j has the loopback only',
  async (HostConfig) => {
    expect(await outputOf(daemon(), 'ls /sys/class/net', { HostConfig })).toBe('lo');
  },
);

test('networks are listed with and without a slash at the end', async () => {
  const names = async (path: string) =>
    (await daemon().api.get(path)).json<{ Name: string }[]>().map(({ Name }) => Name);
  expect((await names('/networks/')).sort()).toEqual(['host', 'none']);
  expect((await names('/networks')).sort()).toEqual(['host', 'none']);
});
