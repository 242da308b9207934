import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadImage, TestDaemon } from '../support/daemon';
import { busyboxImage, dockerArchive } from '../support/images';

const stopped = 100;

test(`with ${stopped} stopped containers and optional plugins that hang, the API answers at once and in full`, async () => {
  const daemon = new TestDaemon({});
  try {
    await daemon.start();
    await loadImage(daemon, dockerArchive(busyboxImage()));
    const create = (index: number) => daemon.api.post(`/containers/create?name=s${index}`, { Image: 'busybox' });
    for (let i = 0; i < stopped; i += 20)
      for (const { status } of await Promise.all(Array.from({ length: 20 }, (_, k) => create(i + k))))
        expect(status).toBe(201);
    await daemon.stop();

    const hangs = (name: string, body: string) => {
      const path = join(daemon.folder, `${name}.js`);
      writeFileSync(
        path,
        `exports.plugin = { name: '${name}', version: '1.0.0', engine: '*', provides: {}, ${body} };`,
      );
      return { module: path, optional: true };
    };
    daemon.changeConfig({
      plugins: {
        'never-starts': hangs('never-starts', 'startTimeoutMs: 600_000, start: () => new Promise(() => {})'),
        'never-ready': hangs('never-ready', 'start: () => ({}), ready: () => new Promise(() => {})'),
        'dead-socket': { socket: join(daemon.folder, 'nobody.sock'), optional: true },
      },
    });
    await daemon.start();
    expect((await daemon.api.get('/containers/json?all=1')).json<unknown[]>()).toHaveLength(stopped);
    expect(await daemon.cli.ok('run', '--rm', 'busybox', 'echo', 'works')).toBe('works');
    // Both while the plugin that never starts is still waited for: its deadline has not passed.
    expect(daemon.log).toContain('optional plugin \\"never-starts\\" is still starting');
    expect(daemon.log).not.toContain('plugin skipped');
  } finally {
    expect(await daemon.dispose()).toEqual([]);
  }
});
