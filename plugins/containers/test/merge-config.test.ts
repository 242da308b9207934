import { expect, test } from '@jest/globals';
import { commandOf, mergeConfig } from '../create/merge-config';
import { config } from './documents';

const image = { Entrypoint: ['/entry'], Cmd: ['serve'], Env: ['PATH=/bin', 'A=image'], WorkingDir: '/srv' };
const merge = (user: object) => mergeConfig(config({ Image: 'x', ...user }), image);

test('without a command of the user the image decides', () => {
  expect(commandOf(merge({}))).toEqual({ path: '/entry', args: ['serve'] });
});

test("the user's command replaces the image's and keeps its entrypoint", () => {
  expect(commandOf(merge({ Cmd: ['other'] }))).toEqual({ path: '/entry', args: ['other'] });
});

test("the user's entrypoint drops the image's command", () => {
  expect(commandOf(merge({ Entrypoint: ['sh'] }))).toEqual({ path: 'sh', args: [] });
});

test('an empty entrypoint takes the entrypoint away', () => {
  expect(commandOf(merge({ Entrypoint: [''], Cmd: ['ls'] }))).toEqual({ path: 'ls', args: [] });
  expect(() => merge({ Entrypoint: [''] })).toThrow('no command specified');
});

test('variables of the user win, the others are added', () => {
  expect(merge({ Env: ['A=user', 'B=1'] }).Env).toEqual(['A=user', 'B=1', 'PATH=/bin']);
});

test('a health check takes from the image what the user left open', () => {
  const merged = mergeConfig(config({ Cmd: ['x'], Healthcheck: { Retries: 5 } }), {
    Healthcheck: { Test: ['CMD', 'true'], Interval: 1e9 },
  });
  expect(merged.Healthcheck).toMatchObject({ Test: ['CMD', 'true'], Interval: 1e9, Retries: 5 });
});
