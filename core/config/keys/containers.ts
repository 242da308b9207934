import { arrayOf, boolean, type ConfigSchema, integer, mapOf, object, optional, string } from '@gantry/sdk';
import { flagOf, key } from '../key';
import { parseUlimit } from '../ulimit';
import { anything, byteSize, parsed } from '../value-schemas';

export interface RuntimeEntry {
  readonly path?: string;
  readonly runtimeArgs?: readonly string[];
  readonly runtimeType?: string;
  readonly options?: unknown;
}

export interface UlimitEntry {
  readonly Name: string;
  readonly Hard: number;
  readonly Soft: number;
}

const runtimes: ConfigSchema<Readonly<Record<string, RuntimeEntry>>> = mapOf(
  object({
    path: optional(string()),
    runtimeArgs: optional(arrayOf(string())),
    runtimeType: optional(string()),
    options: optional(anything()),
  }),
);

/** What a container gets when its create request says nothing. */
export const containerKeys = {
  'exec-opts': key<readonly string[]>({
    schema: arrayOf(
      parsed('an option such as native.cgroupdriver=cgroupfs', (text) => {
        const [name, value] = text.split('=', 2);
        if (name !== 'native.cgroupdriver') throw new Error(`unknown option: '${name}'`);
        if (value === 'systemd')
          throw new Error('native.cgroupdriver=systemd is not supported: cgroups are managed with cgroupfs');
        if (value !== 'cgroupfs') throw new Error(`invalid cgroup driver "${value}": use cgroupfs`);
        return text;
      }),
    ),
    fallback: [],
    flag: flagOf.list('exec-opt'),
    reload: 'restart',
    example: ['native.cgroupdriver=cgroupfs'],
    about: 'Runtime options: native.cgroupdriver=cgroupfs',
  }),
  'default-runtime': key({
    schema: string({ pattern: /./ }),
    fallback: 'runc',
    flag: flagOf.string('default-runtime'),
    reload: 'live',
    example: 'crun',
    about: 'OCI runtime of containers that name none',
  }),
  runtimes: key<Readonly<Record<string, RuntimeEntry>>>({
    schema: runtimes,
    fallback: {},
    merges: true,
    flag: {
      name: 'add-runtime',
      example: ['second=/usr/bin/crun'],
      takes: 'many',
      placeholder: 'name=path',
      toJson: (texts) =>
        Object.fromEntries(
          texts.map((text) => {
            const [, name, path] = /^([^=\s]+)=(.+)$/.exec(text) ?? [];
            if (name === undefined) throw new Error(`"${text}" is not of the form name=path`);
            if (name.toLowerCase() === 'runc') throw new Error("runtime name 'runc' is reserved");
            return [name, { path }];
          }),
        ),
    },
    reload: 'live',
    example: { second: { path: '/usr/bin/crun' } },
    about: 'Additional OCI runtimes',
  }),
  'cgroup-parent': key({
    schema: string(),
    fallback: '',
    fallbackText: '/docker',
    flag: flagOf.string('cgroup-parent'),
    reload: 'live',
    example: '/engine',
    about: 'Parent cgroup of containers',
  }),
  'default-cgroupns-mode': key<'host' | 'private' | undefined>({
    schema: string({ oneOf: ['host', 'private'] }) as ConfigSchema<'host' | 'private'>,
    fallback: undefined,
    fallbackText: 'host on cgroup v1, private on v2',
    flag: flagOf.string('default-cgroupns-mode'),
    reload: 'live',
    example: 'private',
    about: 'Cgroup namespace of containers: host or private',
  }),
  'default-ipc-mode': key<'private' | 'shareable'>({
    schema: string({ oneOf: ['private', 'shareable'] }) as ConfigSchema<'private' | 'shareable'>,
    fallback: 'private',
    flag: flagOf.string('default-ipc-mode'),
    reload: 'live',
    example: 'shareable',
    about: 'IPC namespace of containers: private or shareable',
  }),
  'default-shm-size': key({
    schema: byteSize(),
    fallback: 64 * 1024 * 1024,
    fallbackText: '64MiB',
    flag: flagOf.string('default-shm-size', undefined, 'bytes'),
    reload: 'live',
    example: '128m',
    about: 'Size of /dev/shm in containers',
  }),
  'default-ulimits': key<Readonly<Record<string, UlimitEntry>>>({
    schema: mapOf(object({ Name: string(), Hard: integer(), Soft: integer() })),
    fallback: {},
    flag: {
      name: 'default-ulimit',
      example: ['nofile=1024:4096'],
      takes: 'many',
      placeholder: 'name=soft[:hard]',
      toJson: (texts) =>
        Object.fromEntries(
          texts.map((text) => {
            const limit = parseUlimit(text);
            return [limit.Name, limit];
          }),
        ),
    },
    reload: 'live',
    example: { nofile: { Name: 'nofile', Soft: 1024, Hard: 4096 } },
    about: 'Ulimits of containers',
  }),
  init: key({
    schema: boolean(),
    fallback: false,
    flag: flagOf.switch('init'),
    reload: 'live',
    example: true,
    about: 'Run an init in containers that reaps processes',
  }),
  'init-path': key<string | undefined>({
    schema: string(),
    fallback: undefined,
    fallbackText: 'docker-init',
    flag: flagOf.string('init-path'),
    reload: 'restart',
    example: '/usr/bin/tini',
    about: 'Path of the init binary',
  }),
  'no-new-privileges': key({
    schema: boolean(),
    fallback: false,
    flag: flagOf.switch('no-new-privileges'),
    reload: 'live',
    example: true,
    about: 'Set no-new-privileges on new containers',
  }),
  'seccomp-profile': key({
    schema: string(),
    fallback: 'builtin',
    flag: flagOf.string('seccomp-profile'),
    reload: 'live',
    example: 'unconfined',
    about: 'Path of the default seccomp profile; unconfined for none',
  }),
  'cdi-spec-dirs': key<readonly string[]>({
    schema: arrayOf(string()),
    fallback: ['/etc/cdi', '/var/run/cdi'],
    flag: flagOf.list('cdi-spec-dir'),
    reload: 'restart',
    example: ['/etc/cdi'],
    about: 'Directories with CDI device files; an empty one switches CDI off',
  }),
  'cpu-rt-period': key({
    schema: integer({ min: 0, max: 1_000_000 }),
    fallback: 0,
    flag: flagOf.integer('cpu-rt-period'),
    reload: 'restart',
    example: 1000000,
    about: 'Real-time period of the parent cgroup of containers, in microseconds',
  }),
  'cpu-rt-runtime': key({
    schema: integer({ min: 0, max: 1_000_000 }),
    fallback: 0,
    flag: flagOf.integer('cpu-rt-runtime'),
    reload: 'restart',
    example: 950000,
    about: 'Real-time runtime of the parent cgroup of containers, in microseconds',
  }),
};
