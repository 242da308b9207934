import type { CreateHookRequest, SpecHookRequest } from '@gantry/sdk';
import { houseRules } from '../house-rules';
import { plugin } from '../plugin';

const hook = houseRules({ house: 'acme', rules: '/etc/acme' });
const signal = new AbortController().signal;
const create = (Env: string[], HostConfig: object = {}) =>
  hook.onCreate?.({ config: { Env }, hostConfig: HostConfig } as unknown as CreateHookRequest, signal);

test('privileged containers are refused with what to do instead', async () => {
  await expect(create([], { Privileged: true })).rejects.toMatchObject({
    kind: 'forbidden',
    message: expect.stringContaining('--cap-add'),
  });
});

test('the variable is added behind the user’s own, and never over one', async () => {
  expect(await create(['A=1'])).toEqual({ config: { Env: ['A=1', 'HOUSE=acme'] } });
  expect(await create(['HOUSE=mine'])).toBeUndefined();
});

test('the mount is added once', async () => {
  const ask = (mounts: object[]) => hook.onSpec?.({ spec: { mounts } } as unknown as SpecHookRequest, signal);
  const patch = await ask([{ destination: '/proc' }]);
  expect(patch?.mounts).toEqual([{ destination: '/proc' }, expect.objectContaining({ source: '/etc/acme' })]);
  expect(await ask(patch?.mounts as object[])).toBeUndefined();
});

test('a configuration without rules is refused', () => {
  expect(plugin.config?.parse({ house: 'acme' })).toMatchObject({ ok: false, problems: [{ pointer: '/rules' }] });
});
