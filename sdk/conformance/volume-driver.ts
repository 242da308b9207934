import { deepEqual, equal, ok } from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { VolumeDriver } from '../contracts/volume-driver';
import { CleanupStack } from '../lifecycle';
import { volumeDriverMethods } from '../wire';
import type { JudgedPlugin } from './judged-plugin';
import { refuses } from './refusal';
import { type ConformanceSuite, skip } from './suite';
import { wireCases } from './wire-cases';

/** A volume driver to judge, and what is known about it. */
export interface VolumeDriverSubject {
  readonly driver: VolumeDriver;
  /** Options a volume can be created with; none when absent. */
  readonly options?: Readonly<Record<string, string>>;
  /** Options the driver must refuse. */
  readonly refusedOptions?: Readonly<Record<string, string>>;
  /** Mount points are directories this process can write to. */
  readonly reachable: boolean;
  /** Data outlives the last unmount. */
  readonly keepsData: boolean;
  /** Errors carry their kind; plain protocol answers do not. */
  readonly tellsKinds: boolean;
  /** When the driver is behind a socket: the way to it, for cases about the wire itself. */
  readonly client?: JudgedPlugin;
}

const hexId = () => randomBytes(32).toString('hex');
let sequence = 0;
const freshName = () => `conformance_${process.pid}-${sequence++}.${randomBytes(3).toString('hex')}`;

/** Gives volumes to a case and takes every one of them away afterwards, mounted or not. */
async function withVolumes(
  subject: VolumeDriverSubject,
  work: (tools: {
    create(name?: string): Promise<string>;
    mount(name: string, id?: string): Promise<{ path: string; id: string }>;
    unmount(name: string, id: string): Promise<void>;
    onEnd(step: () => Promise<void>): void;
  }) => Promise<void>,
): Promise<void> {
  const { driver } = subject;
  const cleanup = new CleanupStack();
  const held = new Set<string>();
  try {
    await work({
      async create(name = freshName()) {
        cleanup.push(() => driver.remove(name).catch(() => undefined));
        await driver.create(name, subject.options ?? {});
        return name;
      },
      async mount(name, id = hexId()) {
        held.add(id);
        cleanup.push(async () => {
          if (held.has(id)) await driver.unmount(name, id).catch(() => undefined);
        });
        return { path: await driver.mount(name, id), id };
      },
      async unmount(name, id) {
        await driver.unmount(name, id);
        held.delete(id);
      },
      onEnd: (step) => cleanup.push(step),
    });
  } finally {
    await cleanup.runAll();
  }
}

async function lists(driver: VolumeDriver, name: string): Promise<boolean> {
  return (await driver.list()).some((volume) => volume.name === name);
}

const absent = { Name: 'conformance_absent' };
const mountOfAbsent = { ...absent, ID: '0'.repeat(64) };
const wire = wireCases({
  prefix: 'volume',
  kind: 'VolumeDriver',
  methods: [
    [volumeDriverMethods.create.method, { ...absent, Opts: {} }],
    [volumeDriverMethods.remove.method, absent],
    [volumeDriverMethods.mount.method, mountOfAbsent],
    [volumeDriverMethods.unmount.method, mountOfAbsent],
    [volumeDriverMethods.path.method, absent],
    [volumeDriverMethods.get.method, absent],
    [volumeDriverMethods.list.method, {}],
  ],
  emptyBodies: [],
});

/** What every volume driver must do, in process and behind a socket. Makes and removes volumes of its own only. */
export const volumeDriverSuite: ConformanceSuite<VolumeDriverSubject> = {
  kind: 'volume',
  cases: [
    ...wire.first,
    {
      id: 'volume.capabilities',
      title: 'the scope is local or global',
      rule: 'P-VOL-7',
      async run({ driver }) {
        ok(['local', 'global'].includes((await driver.capabilities()).scope));
      },
    },
    {
      id: 'volume.get.absent',
      title: 'an absent volume is an error, never an empty answer',
      rule: 'P-VOL-1',
      async run(subject) {
        await refuses(subject.driver.get(freshName()), 'get of an absent volume', 'not-found', subject);
      },
    },
    {
      id: 'volume.create.get',
      title: 'a created volume is found by its name',
      rule: 'P-VOL-1',
      run: (subject) =>
        withVolumes(subject, async ({ create }) => {
          const name = await create();
          const volume = await subject.driver.get(name);
          equal(volume.name, name);
          ok(volume.mountpoint === '' || volume.mountpoint.startsWith('/'), `mount point "${volume.mountpoint}"`);
          if (volume.createdAt !== undefined) ok(!Number.isNaN(volume.createdAt.getTime()), 'createdAt is a date');
        }),
    },
    {
      id: 'volume.create.hex-name',
      title: 'a name of 64 hex digits is taken: anonymous volumes have such names',
      rule: 'P-VOL-3',
      run: (subject) =>
        withVolumes(subject, async ({ create }) => {
          const name = await create(hexId());
          equal((await subject.driver.get(name)).name, name);
        }),
    },
    {
      id: 'volume.create.refused-option',
      title: 'a wrong option is refused and nothing is made',
      rule: 'P-CALL-8',
      async run(subject) {
        if (subject.refusedOptions === undefined) skip('no options are known that the driver must refuse');
        const name = freshName();
        const { driver, refusedOptions = {} } = subject;
        try {
          await refuses(
            driver.create(name, refusedOptions),
            'create with a wrong option',
            'invalid-parameter',
            subject,
          );
          ok(!(await lists(driver, name)), 'the refused volume is listed');
        } finally {
          await driver.remove(name).catch(() => undefined);
        }
      },
    },
    {
      id: 'volume.list',
      title: 'a volume is listed from its creation to its removal',
      rule: 'P-VOL-2',
      run: (subject) =>
        withVolumes(subject, async ({ create }) => {
          const name = freshName();
          ok(!(await lists(subject.driver, name)));
          await create(name);
          ok(await lists(subject.driver, name), 'the created volume is not listed');
          await subject.driver.remove(name);
          ok(!(await lists(subject.driver, name)), 'the removed volume is still listed');
          await refuses(subject.driver.get(name), 'get of a removed volume', 'not-found', subject);
        }),
    },
    {
      id: 'volume.remove.absent',
      title: 'removing an absent volume is an error',
      rule: 'P-CALL-8',
      async run(subject) {
        await refuses(subject.driver.remove(freshName()), 'remove of an absent volume', 'not-found', subject);
      },
    },
    {
      id: 'volume.mount.absent',
      title: 'mounting an absent volume is an error',
      rule: 'P-CALL-8',
      async run(subject) {
        await refuses(subject.driver.mount(freshName(), hexId()), 'mount of an absent volume', 'not-found', subject);
      },
    },
    {
      id: 'volume.mount.path',
      title: 'mount gives an absolute path, and Path agrees with it',
      rule: 'P-VOL-6',
      run: (subject) =>
        withVolumes(subject, async ({ create, mount }) => {
          const name = await create();
          const { path } = await mount(name);
          ok(path.startsWith('/'), `mount point "${path}"`);
          equal(await subject.driver.path(name), path);
          if (subject.reachable) ok((await stat(path)).isDirectory(), `${path} is a directory`);
        }),
    },
    {
      id: 'volume.mount.twice',
      title: 'mounting again with the same id changes nothing',
      rule: 'P-VOL-3',
      run: (subject) =>
        withVolumes(subject, async ({ create, mount, unmount }) => {
          const name = await create();
          const { path, id } = await mount(name);
          equal((await mount(name, id)).path, path);
          await unmount(name, id);
          await subject.driver.remove(name);
        }),
    },
    {
      id: 'volume.mount.counted',
      title: 'a volume stays until the last id is unmounted',
      rule: 'P-VOL-3',
      run: (subject) =>
        withVolumes(subject, async ({ create, mount, unmount }) => {
          const name = await create();
          const first = await mount(name);
          const second = await mount(name);
          equal(second.path, first.path);
          await unmount(name, first.id);
          await refuses(subject.driver.remove(name), 'remove of a mounted volume', 'conflict', subject);
          equal(await subject.driver.path(name), second.path);
          await unmount(name, second.id);
          await subject.driver.remove(name);
        }),
    },
    {
      id: 'volume.remove.mounted',
      title: 'removing a mounted volume is a conflict and leaves it in place',
      rule: 'P-VOL-3',
      run: (subject) =>
        withVolumes(subject, async ({ create, mount, unmount }) => {
          const name = await create();
          const { id } = await mount(name);
          await refuses(subject.driver.remove(name), 'remove of a mounted volume', 'conflict', subject);
          equal((await subject.driver.get(name)).name, name);
          await unmount(name, id);
        }),
    },
    {
      id: 'volume.mount.parallel',
      title: 'eight mounts at once give one path',
      rule: 'P-VOL-3',
      run: (subject) =>
        withVolumes(subject, async ({ create, mount, unmount }) => {
          const name = await create();
          const mounts = await Promise.all(Array.from({ length: 8 }, () => mount(name)));
          deepEqual(new Set(mounts.map(({ path }) => path)).size, 1);
          await Promise.all(mounts.map(({ id }) => unmount(name, id)));
          await subject.driver.remove(name);
        }),
    },
    {
      id: 'volume.create.parallel',
      title: 'twelve volumes made at once are twelve volumes',
      rule: 'P-VOL-1',
      run: (subject) =>
        withVolumes(subject, async ({ create, mount }) => {
          const names = await Promise.all(Array.from({ length: 12 }, () => create()));
          const listed = new Set((await subject.driver.list()).map((volume) => volume.name));
          for (const name of names) ok(listed.has(name), `${name} is not listed`);
          const paths = await Promise.all(names.map(async (name) => (await mount(name)).path));
          equal(new Set(paths).size, names.length, 'two volumes share a mount point');
        }),
    },
    {
      id: 'volume.data.shared',
      title: 'what one mount writes another reads',
      rule: 'P-VOL-3',
      run: (subject) =>
        withVolumes(subject, async ({ create, mount }) => {
          if (!subject.reachable) skip('mount points of this driver cannot be reached from here');
          const name = await create();
          const first = await mount(name);
          await writeFile(join(first.path, 'conformance'), 'shared');
          const second = await mount(name);
          equal(await readFile(join(second.path, 'conformance'), 'utf8'), 'shared');
        }),
    },
    {
      id: 'volume.data.kept',
      title: 'data outlives the last unmount',
      rule: 'P-VOL-3',
      run: (subject) =>
        withVolumes(subject, async ({ create, mount, unmount, onEnd }) => {
          if (!subject.reachable) skip('mount points of this driver cannot be reached from here');
          if (!subject.keepsData) skip('this driver does not promise to keep data');
          const name = await create();
          const first = await mount(name);
          await writeFile(join(first.path, 'conformance'), 'kept');
          await unmount(name, first.id);
          const again = await mount(name);
          onEnd(() => rm(join(again.path, 'conformance'), { force: true }));
          equal(await readFile(join(again.path, 'conformance'), 'utf8'), 'kept');
        }),
    },
    {
      id: 'volume.wire.null-options',
      title: 'options may be null',
      rule: 'P-VOL-1',
      async run(subject) {
        const { client, driver } = subject;
        if (client === undefined) skip('in process options are always a map');
        if (subject.options !== undefined) skip('this driver needs options');
        const name = freshName();
        try {
          await client.call({ ...volumeDriverMethods.create, body: { Name: name, Opts: null } });
          equal((await driver.get(name)).name, name);
        } finally {
          await driver.remove(name).catch(() => undefined);
        }
      },
    },
    {
      id: 'volume.trace',
      title: 'the cases above left no volume behind',
      rule: 'P-VOL-2',
      async run({ driver }) {
        const mine = `conformance_${process.pid}-`;
        deepEqual(
          (await driver.list()).map((volume) => volume.name).filter((name) => name.startsWith(mine)),
          [],
        );
      },
    },
    ...wire.last,
  ],
};
