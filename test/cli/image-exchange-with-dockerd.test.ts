import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { DockerCli } from '../support/docker-cli';
import { eventually } from '../support/eventually';
import { describeTree } from '../support/file-tree';
import { digestOf, dockerArchive } from '../support/images';
import { intricateImage } from '../support/intricate-image';
import { startRegistry } from '../support/registry';
import { testUnless } from '../support/test-unless';

/** Socket of the daemon that `node test/bench/peer.mjs start` runs in a network namespace named like its folder. */
const peerSocket = process.env.GANTRY_PEER_SOCKET;
const drill = testUnless(
  peerSocket === undefined && '"node test/bench/peer.mjs start", then GANTRY_PEER_SOCKET=/tmp/gantry-peer/docker.sock',
);
jest.setTimeout(300_000);

const daemon = daemonForSuite({ busybox: false, tidy: (each) => each.removeEverything() });

/** The files of an image as a running container has them. */
async function filesOn(cli: DockerCli, name: string): Promise<string[]> {
  await cli.ok('run', '-d', '--name', 'look', '--network', 'none', name, 'sleep', '1000');
  try {
    const merged = await cli.ok('inspect', '--format', '{{.GraphDriver.Data.MergedDir}}', 'look');
    return describeTree(join(merged, 'work'));
  } finally {
    await cli.ok('rm', '-f', 'look');
  }
}

async function factsOn(cli: DockerCli, name: string) {
  const [{ Id, RootFS, Config, Size }] = JSON.parse(await cli.ok('image', 'inspect', name));
  return { Id, Layers: RootFS.Layers, Env: Config.Env, Size };
}

drill(
  'images go to dockerd and back by archive and by registry, with the same digests and the same files',
  async () => {
    const folder = daemon().folder;
    mkdirSync(join(folder, 'peer-client'));
    const ours = daemon().cli;
    const theirs = new DockerCli(`unix://${peerSocket}`, join(folder, 'peer-client'));
    const registry = await startRegistry();
    const both = [ours, theirs] as const;
    const image = intricateImage('team/intricate:v1', join(folder, 'layers'));
    const name = image.reference;
    const forget = async (cli: DockerCli) => {
      for (const id of new Set((await cli.ok('images', '-aq')).split('\n').filter(Boolean)))
        await cli.ok('rmi', '-f', id);
    };
    try {
      registry.alsoIn(basename(dirname(peerSocket!)));
      writeFileSync(join(folder, 'made.tar'), dockerArchive(image));
      for (const cli of both) await cli.ok('load', '-i', join(folder, 'made.tar'));
      const [facts, files] = [await factsOn(ours, name), await filesOn(ours, name)];
      expect(facts).toMatchObject({ Id: digestOf(image.config), Layers: image.layers.map(digestOf) });
      expect(await factsOn(theirs, name)).toEqual(facts);
      expect(files.length).toBeGreaterThan(15);
      expect(await filesOn(theirs, name)).toEqual(files);

      for (const [from, to] of [both, [theirs, ours] as const]) {
        const archive = join(folder, `${from === ours ? 'ours' : 'theirs'}.tar`);
        await from.ok('save', '-o', archive, name);
        await forget(to);
        await to.ok('load', '-i', archive);
        expect(await factsOn(to, name)).toEqual(facts);
        expect(await filesOn(to, name)).toEqual(files);
      }
      for (const [from, to] of [both, [theirs, ours] as const]) {
        const pushed = `${registry.host}/from-${from === ours ? 'us' : 'them'}:v1`;
        await from.ok('tag', name, pushed);
        const push = () => from.run(['push', pushed]);
        const result = await eventually(`${pushed} to be pushed`, async () => {
          const each = await push();
          return each.code === 0 ? each : undefined;
        });
        const digest = /digest: (sha256:\w+) size/.exec(result.stdout)?.[1];
        await forget(to);
        expect(await to.ok('pull', pushed)).toContain(`Digest: ${digest}`);
        expect(await factsOn(to, pushed)).toEqual(facts);
        expect(await filesOn(to, pushed)).toEqual(files);
        expect(await to.ok('image', 'inspect', '--format', '{{index .RepoDigests 0}}', pushed)).toBe(
          `${pushed.replace(/:v1$/, '')}@${digest}`,
        );
        await to.ok('tag', pushed, name);
      }
    } finally {
      await forget(theirs);
      await registry.stop();
    }
  },
);
