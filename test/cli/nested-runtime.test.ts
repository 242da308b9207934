import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { build, type ContextFiles, contextTar } from '../support/build';
import { daemonForSuite } from '../support/daemon';

// What a builder that runs in a container needs: buildx makes one with its docker-container driver.
const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const docker = (...args: string[]) => daemon().cli.ok(...args);

/** runc of this machine with the libraries it needs. */
function runtimeFiles(): ContextFiles {
  const program = execFileSync('which', ['runc'], { encoding: 'utf8' }).trim();
  const libraries = execFileSync('ldd', [program], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
  const file = (path: string) => ({ data: readFileSync(path), mode: 0o755 });
  return {
    'root/bin/runc': file(program),
    ...Object.fromEntries(libraries.map((path) => [`root${path}`, file(path)])),
  };
}

const script = `#!/bin/sh -e
cd /bundle
runc spec
sed -i 's/"terminal": true/"terminal": false/; s#"sh"#"cat","/proc/self/cgroup"#' config.json
cd /var/lib/state
mkdir lower upper work merged
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged
touch merged/f && ls upper
runc --root /var/lib/state/runc run --bundle /bundle inner
umount merged
`;

test('a privileged container can mount overlays and run containers of its own, below its own control group', async () => {
  const dockerfile =
    'FROM busybox\nCOPY root /\nCOPY nested.sh /\nRUN mkdir -p /bundle/rootfs/bin && cp /bin/busybox /bundle/rootfs/bin/cat\n';
  const context = contextTar(dockerfile, { ...runtimeFiles(), 'nested.sh': { data: script, mode: 0o755 } });
  expect((await build(daemon().api, context, { t: 'nested' })).error).toBeUndefined();
  const id = await docker(
    ...['run', '-d', '--name', 'builder', '--init', '--privileged', '--restart', 'unless-stopped'],
    ...['-v', 'state:/var/lib/state', 'nested', 'sleep', '600'],
  );
  const said = (await docker('exec', 'builder', '/nested.sh')).split('\n');
  expect(said[0]).toBe('f');
  expect(said.find((line) => /:(memory|):/.test(line))).toContain(`${daemon().cgroupParent}/${id}/inner`);
  // Its client speaks to it over the streams of a command.
  const client = daemon().cli.start(['exec', '-i', 'builder', 'cat']);
  client.type('over the streams');
  await client.shows(/over the streams/);
  await docker('rm', '-f', 'builder');
  expect((await client.end()).code).not.toBe(0);
});
