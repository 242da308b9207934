import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { VolumeDriver } from '../../contracts/volume-driver';
import { change, type Mutants, when, wireMutants } from './mutants';

const methodsOf = (d: VolumeDriver): VolumeDriver => ({ ...d });
const failing = { status: 200, text: '{"Err":"broken on purpose"}' };
const empty = async (path: string) => {
  for (const name of readdirSync(path)) await rm(join(path, name), { recursive: true });
};

export const volumeMutants: Mutants<VolumeDriver> = {
  ...wireMutants('volume', 'VolumeDriver', 'VolumeDriver.Path'),
  'volume.wire.mountpoint': { fault: change('VolumeDriver.Mount', () => ({ Mountpoint: 'here' })) },
  'volume.wire.description': {
    fault: change('VolumeDriver.Get', ({ Volume }) => ({ Volume: { ...Volume, CreatedAt: 'yesterday' } })),
  },
  'volume.wire.null-options': {
    fault: when(
      'VolumeDriver.Create',
      () => failing,
      ({ body }) => body.Opts === null,
    ),
  },
  'volume.capabilities': {
    inProcess: true,
    driver: (d) => ({ ...d, capabilities: async () => ({ scope: 'cluster' as 'local' }) }),
  },
  'volume.get.absent': {
    driver: (d) => {
      const known = new Set<string>();
      return {
        ...methodsOf(d),
        create: (name, options) => {
          known.add(name);
          return d.create(name, options);
        },
        get: async (name) => (known.has(name) ? d.get(name) : { name, mountpoint: '/x' }),
      };
    },
  },
  'volume.create.get': {
    driver: (d) => ({ ...d, get: async (name) => ({ ...(await d.get(name)), mountpoint: 'here' }) }),
  },
  'volume.create.hex-name': {
    driver: (d) => ({
      ...d,
      create: async (name, options) => {
        if (/^[0-9a-f]{64}$/.test(name)) throw new Error('too long');
        await d.create(name, options);
      },
    }),
  },
  'volume.create.refused-option': { driver: (d) => ({ ...d, create: (name) => d.create(name, {}) }) },
  'volume.list': {
    driver: (d) => ({
      ...d,
      list: async () => {
        const all = await d.list();
        return all.length === 1 ? [] : all;
      },
    }),
  },
  'volume.remove.absent': {
    driver: (d) => ({
      ...d,
      remove: async (name) => {
        if ((await d.list()).some((it) => it.name === name)) await d.remove(name);
      },
    }),
  },
  'volume.mount.absent': {
    driver: (d) => ({
      ...d,
      mount: async (name, id) => ((await d.list()).some((it) => it.name === name) ? d.mount(name, id) : `/x/${name}`),
    }),
  },
  'volume.mount.path': {
    driver: (d) => {
      const unmounted = new Set<string>();
      return {
        ...d,
        unmount: async (name, id) => {
          unmounted.add(name);
          await d.unmount(name, id);
        },
        path: async (name) => ((await d.path(name)) && unmounted.has(name) ? d.path(name) : '/elsewhere'),
      };
    },
  },
  'volume.mount.twice': {
    driver: (d) => {
      const extra = new Map<string, number>();
      const seen = new Set<string>();
      return {
        ...d,
        mount: async (name, id) => {
          if (seen.has(name + id)) extra.set(name, (extra.get(name) ?? 0) + 1);
          seen.add(name + id);
          return d.mount(name, id);
        },
        remove: async (name) => {
          const forgotten = extra.get(name) ?? 0;
          extra.delete(name);
          if (forgotten > 0) throw new Error('it is mounted');
          await d.remove(name);
        },
      };
    },
  },
  'volume.mount.counted': {
    driver: (d) => {
      const ids = new Map<string, Set<string>>();
      return {
        ...d,
        mount: async (name, id) => {
          ids.set(name, (ids.get(name) ?? new Set()).add(id));
          return d.mount(name, id);
        },
        unmount: async (name) => {
          for (const id of ids.get(name) ?? []) await d.unmount(name, id);
        },
      };
    },
  },
  'volume.remove.mounted': {
    driver: (d) => {
      const ids = new Map<string, Set<string>>();
      return {
        ...d,
        mount: async (name, id) => {
          ids.set(name, (ids.get(name) ?? new Set()).add(id));
          return d.mount(name, id);
        },
        remove: async (name) => {
          const seen = [...(ids.get(name) ?? [])];
          if (seen.length === 1) await d.unmount(name, seen[0]!);
          await d.remove(name);
        },
      };
    },
  },
  'volume.mount.parallel': {
    driver: (d) => {
      const running = new Map<string, number>();
      return {
        ...d,
        mount: async (name, id) => {
          running.set(name, (running.get(name) ?? 0) + 1);
          await setImmediate();
          await setImmediate();
          const others = running.get(name)! - 1;
          running.set(name, others);
          return (await d.mount(name, id)) + (others > 0 ? `-${others}` : '');
        },
      };
    },
  },
  'volume.create.parallel': {
    driver: (d) => {
      let running = 0;
      return {
        ...d,
        create: async (name, options) => {
          running++;
          await new Promise((resolve) => setTimeout(resolve, 5));
          if (running < 3) await d.create(name, options);
          running--;
        },
      };
    },
  },
  'volume.data.shared': {
    driver: (d) => ({
      ...d,
      mount: async (name, id) => {
        const path = await d.mount(name, id);
        if (((await d.get(name)).status?.mounts as number) > 1) await empty(path);
        return path;
      },
    }),
  },
  'volume.data.kept': {
    driver: (d) => ({
      ...d,
      unmount: async (name, id) => {
        await d.unmount(name, id);
        if ((await d.get(name)).status?.mounts === 0) await empty(await d.path(name));
      },
    }),
  },
  'volume.trace': {
    driver: (d) => {
      const removed: string[] = [];
      return {
        ...d,
        remove: async (name) => {
          await d.remove(name);
          removed.push(name);
        },
        list: async () => {
          const all = await d.list();
          const first = removed.find((name) => name.startsWith('conformance_') && name !== 'conformance_absent');
          return removed.length > 8 && all.length === 0 ? [{ name: first!, mountpoint: '' }] : all;
        },
      };
    },
  },
};
