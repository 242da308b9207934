import { expect, test } from '@jest/globals';
import { config, hostConfig } from './documents';

test('a field of another JSON type is refused with the name of the field', () => {
  expect(() => hostConfig({ Memory: '64m' })).toThrow(
    'json: cannot unmarshal string into Go struct field Memory of type int64',
  );
  expect(() => hostConfig({ RestartPolicy: { Name: 3 } })).toThrow('RestartPolicy.Name');
});

test('null means absent, and a command may be a single string', () => {
  expect(config({ Env: null, Cmd: 'ls' })).toMatchObject({ Env: [], Cmd: ['ls'] });
  expect(config().Cmd).toBeNull();
});

test('keys match without regard to case, the exact one first', () => {
  expect(config({ hostname: 'a' }).Hostname).toBe('a');
  expect(config({ hostname: 'a', Hostname: 'b' }).Hostname).toBe('b');
});
