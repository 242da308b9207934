import type { EngineEvent, EventBus } from '@gantry/sdk';
import { SizeCache } from '../size-cache';

function fixture() {
  const listeners: ((event: EngineEvent) => void)[] = [];
  const events = { subscribe: (listener: never) => listeners.push(listener) } as unknown as EventBus;
  let walks = 0;
  let duringWalk = () => {};
  const sizes = new SizeCache(events, {
    rootFilesystemSize: async () => {
      walks += 1;
      duringWalk();
      return { sizeRw: walks, sizeRootFs: walks };
    },
  });
  const tell = (action: string, id = 'c1') => {
    for (const listen of listeners) listen({ type: 'container', action, actor: { id, attributes: {} } });
  };
  const at = (status: string) => ({ id: 'c1', state: { status } }) as never;
  return {
    sizeRw: async (status: string) => (await sizes.sizeOf(at(status))).sizeRw,
    tell,
    whileWalking: (work: () => void) => {
      duringWalk = work;
    },
  };
}

test('a container that does not run is counted once, until it is started or copied into', async () => {
  const { sizeRw, tell } = fixture();
  expect([await sizeRw('exited'), await sizeRw('exited')]).toEqual([1, 1]);
  tell('extract-to-dir', 'another');
  tell('archive-path');
  expect(await sizeRw('exited')).toBe(1);
  tell('extract-to-dir');
  expect(await sizeRw('exited')).toBe(2);
  tell('start');
  expect([await sizeRw('running'), await sizeRw('running'), await sizeRw('exited')]).toEqual([3, 4, 5]);
});

test('what changed while it was counted is counted again', async () => {
  const { sizeRw, tell, whileWalking } = fixture();
  whileWalking(() => tell('extract-to-dir'));
  expect([await sizeRw('created'), await sizeRw('created')]).toEqual([1, 2]);
});
