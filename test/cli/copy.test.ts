import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { getXattr, setXattr } from '@gantry/sdk/linux/xattr';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const docker = (...args: string[]) => daemon().cli.ok(...args);
const sh = (script: string) => execFileSync('sh', ['-ec', script], { encoding: 'utf8' }).trim();

/** A tree with everything a file system can hold, on the host or in a container (both run it as root). */
const tree = (at: string) => `
  mkdir -p ${at}/deep/er ${at}/empty
  echo content >${at}/deep/er/file; ln ${at}/deep/er/file ${at}/twin; ln -s deep/er/file ${at}/link
  ln -s /nowhere ${at}/dangling; mknod ${at}/null c 1 3; mknod ${at}/disk b 7 200; mkfifo ${at}/fifo
  chown 12:34 ${at}/deep/er/file; chmod 4751 ${at}/deep/er/file; chmod 2750 ${at}/deep; chmod 1777 ${at}/empty
  touch -d '2001-02-03 04:05:06' ${at}/deep/er/file ${at}/deep`;
/** cap_net_raw, permitted and effective. @see capabilities(7), struct vfs_cap_data */
const netRaw = Buffer.from('0100000200200000000000000000000000000000', 'hex');
const look = (at: string) => `
  cd ${at}; stat -c '%n %F %a %u %g %h %Y %t,%T' deep deep/er/file empty fifo null disk
  readlink link; readlink dangling; cat twin`;

test('a tree with links, devices, a fifo, modes, owners and times goes in and comes back as it was', async () => {
  const { folder } = daemon();
  const source = join(folder, 'tree');
  sh(tree(source));
  await docker('run', '-d', '--name', 'box', 'busybox', 'sleep', '600');
  await docker('cp', '-a', source, 'box:/there');
  const seen = await docker('exec', 'box', 'sh', '-c', look('/there'));
  const facts = (text: string) => text.split('\n').map((line) => line.replace(/ \d{9,10} (?=\w+,)/, ' T '));
  expect(facts(seen).map(asBusybox)).toEqual(facts(sh(look(source))).map(asBusybox));
  expect(seen).toContain('deep/er/file regular file 4751 12 34 2 981173106');
  await docker('cp', '-a', 'box:/there', join(folder, 'back'));
  // Whom files on the host belong to is the client's choice.
  const ownerless = (text: string) => facts(text).map((line) => line.replace(' 12 34 ', ' 0 0 '));
  expect(ownerless(sh(look(join(folder, 'back'))))).toEqual(ownerless(sh(look(source))));
  expect(statSync(join(folder, 'back/twin')).ino).toBe(statSync(join(folder, 'back/deep/er/file')).ino);
  await docker('rm', '-f', 'box');
});

test('extended attributes and capabilities survive both ways', async () => {
  const { folder } = daemon();
  const file = join(folder, 'attributes');
  writeFileSync(file, 'x');
  setXattr(file, 'user.note', Buffer.from('kept'));
  setXattr(file, 'security.capability', netRaw);
  await docker('create', '--name', 'box', 'busybox', 'true');
  sh(`tar --xattrs --xattrs-include='*' -C ${folder} -cf ${folder}/in.tar attributes`);
  await daemon().cli.run(['cp', '-', 'box:/'], { input: readFileSync(join(folder, 'in.tar')) });
  const out = await daemon().api.get('/containers/box/archive?path=/attributes');
  writeFileSync(join(folder, 'out.tar'), out.body);
  sh(`mkdir ${folder}/out; tar --xattrs --xattrs-include='*' -C ${folder}/out -xpf ${folder}/out.tar`);
  const arrived = join(folder, 'out/attributes');
  expect(getXattr(arrived, 'user.note')?.toString()).toBe('kept');
  expect(getXattr(arrived, 'security.capability')).toEqual(netRaw);
  await docker('rm', 'box');
});

test.each(['running', 'stopped'])('links of a %s container never lead out of it', async (state) => {
  const { folder } = daemon();
  const secret = join(folder, `secret-${state}`);
  mkdirSync(secret);
  writeFileSync(join(secret, 'file'), 'of the host');
  const depth = '../'.repeat(20);
  const links = [
    `ln -s ${secret} /absolute; ln -s ${depth}${secret} /relative; ln -s /absolute /twice; mkdir -p ${secret}`,
    `echo inside >${secret}/file; ln -s /proc/1/root${secret} /proc-root`,
  ].join('; ');
  await docker('run', '-d', '--name', 'trap', 'busybox', 'sh', '-c', `${links}; touch /ready; exec sleep 600`);
  await docker('exec', 'trap', 'sh', '-c', 'until [ -e /ready ]; do sleep 0.05; done');
  if (state === 'stopped') await docker('stop', '-t', '0', 'trap');
  for (const link of ['absolute', 'relative', 'twice']) {
    await docker('cp', `trap:/${link}/file`, join(folder, `read-${state}-${link}`));
    expect(readFileSync(join(folder, `read-${state}-${link}`), 'utf8')).toBe('inside\n');
    writeFileSync(join(folder, 'written'), 'from outside');
    await docker('cp', join(folder, 'written'), `trap:/${link}/new-${link}`);
    expect(existsSync(join(secret, `new-${link}`))).toBe(false);
  }
  await daemon().cli.run(['cp', join(folder, 'written'), 'trap:/proc-root/through-proc']);
  expect(existsSync(join(secret, 'through-proc'))).toBe(false);
  // An archive that makes a link and then writes through it stays inside as well.
  mkdirSync(join(folder, `evil-${state}/a`), { recursive: true });
  symlinkSync(secret, join(folder, `evil-${state}/l`));
  sh(
    `cd ${folder}/evil-${state}; tar -cf e.tar l; mkdir l2; echo out >l2/pwned; tar -rf e.tar --transform 's,^l2,l,' l2/pwned`,
  );
  const input = readFileSync(join(folder, `evil-${state}/e.tar`));
  await daemon().cli.run(['cp', '-', 'trap:/'], { input });
  expect(existsSync(join(secret, 'pwned'))).toBe(false);
  await docker('rm', '-f', 'trap');
});

test('copies out of a stopped container and starts of it do not get into one another’s way', async () => {
  await docker('create', '--name', 'busy', '--network', 'none', 'busybox', 'true');
  const copies = Array.from({ length: 12 }, () => daemon().api.get('/containers/busy/archive?path=/etc/group'));
  for (let round = 0; round < 4; round++) {
    expect((await daemon().api.post('/containers/busy/start')).status).toBe(204);
    await daemon().api.post('/containers/busy/wait');
  }
  for (const copy of copies) expect((await copy).status).toBe(200);
  expect(await docker('inspect', '-f', '{{.State.ExitCode}}', 'busy')).toBe('0');
  await docker('rm', 'busy');
});

test('cp -L follows a link, cp without it copies the link', async () => {
  const { folder } = daemon();
  await docker('run', '--name', 'links', 'busybox', 'sh', '-c', 'echo target >/target; ln -s /target /link');
  await docker('cp', 'links:/link', join(folder, 'as-link'));
  expect(readlinkSync(join(folder, 'as-link'))).toBe('/target');
  await docker('cp', '-L', '-q', 'links:/link', join(folder, 'followed'));
  expect(lstatSync(join(folder, 'followed')).isFile()).toBe(true);
  writeFileSync(join(folder, 'real'), 'by link');
  symlinkSync('real', join(folder, 'host-link'));
  await docker('cp', '-L', join(folder, 'host-link'), 'links:/brought');
  await docker('cp', 'links:/brought', join(folder, 'brought'));
  expect(readFileSync(join(folder, 'brought'), 'utf8')).toBe('by link');
  await docker('rm', 'links');
});

test('the archive routes answer as dockerd does when something is in the way', async () => {
  const { api } = daemon();
  await docker('run', '--name', 'ways', '-v', 'kept:/volume', 'busybox', 'sh', '-c', 'mkdir /dir; echo x >/file');
  const archive = (path: string, more = '') => `/containers/ways/archive?path=${encodeURIComponent(path)}${more}`;
  const head = await api.request('HEAD', archive('/dir'));
  const stat = JSON.parse(Buffer.from(String(head.headers['x-docker-container-path-stat']), 'base64').toString());
  expect(stat).toMatchObject({ name: 'dir', linkTarget: '', mode: 2 ** 31 + 0o755 });
  expect(stat.mtime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/);
  expect((await api.request('HEAD', archive('/nothing'))).status).toBe(404);
  const missing = await api.get(archive('/nothing'));
  expect(missing).toMatchObject({ status: 404 });
  expect(missing.json().message).toMatch(/^Could not find the file \/nothing in container ways$/);
  expect((await api.get('/containers/ways/archive')).status).toBe(400);
  for (const path of ['/file/', '/file/.', '/file/below']) {
    expect((await api.request('HEAD', archive(path))).status).toBe(500);
    expect((await api.get(archive(path))).json()).toEqual({ message: `lstat ${path}: not a directory` });
  }
  const { folder } = daemon();
  sh(
    `mkdir -p ${folder}/put/dir; echo y >${folder}/put/plain; cd ${folder}/put; tar -cf d.tar dir; mkdir f; echo z >f/dir; tar -cf f.tar -C f dir; tar -cf p.tar plain`,
  );
  const put = (path: string, file: string, more = '') =>
    api.request('PUT', archive(path, more), {
      body: readFileSync(join(folder, 'put', file)),
      headers: { 'Content-Type': 'application/x-tar' },
    });
  expect((await put('/file', 'p.tar')).status).toBe(400);
  expect((await put('/nothing', 'p.tar')).status).toBe(404);
  expect((await put('/', 'f.tar', '&noOverwriteDirNonDir=true')).status).toBe(400);
  expect((await put('/volume', 'p.tar')).status).toBe(200);
  expect(await docker('run', '--rm', '-v', 'kept:/v', 'busybox', 'cat', '/v/plain')).toBe('y');
  expect((await put('/', 'f.tar')).status).toBe(200);
  await docker('rm', 'ways');
  await docker('volume', 'rm', 'kept');
});

test.each(['running', 'stopped'])(
  'what is at a path of a %s container is told, links and the missing too',
  async (state) => {
    const { api } = daemon();
    const script =
      'mkdir -m 1750 /dir; echo four >/dir/file; ln -s /dir /link; ln -s nowhere /dir/lost; touch /there; sleep 600';
    await docker('run', '-d', '--name', 'told', '--network', 'none', 'busybox', 'sh', '-c', script);
    await eventually('the files', async () => (await docker('exec', 'told', 'ls', '/')).includes('there'));
    if (state === 'stopped') await docker('kill', 'told');
    const look = async (path: string) => {
      const { status, headers } = await api.request(
        'HEAD',
        `/containers/told/archive?path=${encodeURIComponent(path)}`,
      );
      const stat = headers['x-docker-container-path-stat'];
      if (stat === undefined) return status;
      const { mtime, ...rest } = JSON.parse(Buffer.from(String(stat), 'base64').toString());
      expect(Date.now() - Date.parse(mtime)).toBeLessThan(600_000);
      return rest;
    };
    const file = { name: 'file', size: 5, mode: 0o644, linkTarget: '' };
    expect(await look('/dir/file')).toEqual(file);
    expect(await look('dir//./file')).toEqual(file);
    expect(await look('/link/file')).toEqual(file);
    expect(await look('/dir')).toMatchObject({ name: 'dir', mode: 2 ** 31 + 2 ** 20 + 0o750, linkTarget: '' });
    expect(await look('/link')).toMatchObject({ name: 'link', linkTarget: '/dir' });
    expect(await look('/link/')).toMatchObject({ name: 'link', mode: 2 ** 31 + 2 ** 20 + 0o750, linkTarget: '' });
    expect(await look('/dir/lost')).toMatchObject({ name: 'lost', linkTarget: '/dir/nowhere' });
    expect([await look('/dir/none'), await look('/none/none'), await look('/link/none')]).toEqual([404, 404, 404]);
    await docker('rm', '-f', 'told');
  },
);

test('copyUIDGID gives what is copied to the user of the container', async () => {
  const { api, folder } = daemon();
  await docker('create', '--name', 'owned', '-u', '42:43', 'busybox', 'stat', '-c', '%u %g', '/plain');
  sh(`echo y >${folder}/plain; chown 5:6 ${folder}/plain; tar -cf ${folder}/owned.tar -C ${folder} plain`);
  const body = readFileSync(join(folder, 'owned.tar'));
  const put = await api.request('PUT', '/containers/owned/archive?path=/&copyUIDGID=1', { body });
  expect(put.status).toBe(200);
  expect(await docker('start', '-a', 'owned')).toBe('42 43');
  await docker('rm', 'owned');
});

/** busybox calls some kinds otherwise than coreutils. */
function asBusybox(line: string): string {
  return line.replace('regular empty file', 'regular file');
}
