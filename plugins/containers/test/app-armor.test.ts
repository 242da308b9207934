import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppArmor, type AppArmorPlaces } from '../apparmor/app-armor';
import { profileOf, readyProfile } from '../apparmor/container-profile';
import { defaultProfile } from '../apparmor/default-profile';

let folder: string;
let places: AppArmorPlaces;
const at = (name: string) => join(folder, name);
const ask = (Privileged: boolean, ...SecurityOpt: string[]) => ({ hostConfig: { Privileged, SecurityOpt } });
const loads = async () => (await readFile(at('loads'), 'utf8').catch(() => '')).split('== ').slice(1);

/** What a kernel with AppArmor shows, and a compiler that notes what it is given and loads it. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-apparmor-'));
  await Promise.all(['kernel', 'policy/abi', 'policy/tunables'].map((name) => mkdir(at(name), { recursive: true })));
  await writeFile(at('enabled'), 'Y\n');
  await writeFile(at('kernel/profiles'), '/usr/bin/man (enforce)\nlsb_release (enforce)\nnvidia_modprobe (enforce)\n');
  await writeFile(at('policy/abi/3.0'), '');
  await writeFile(at('policy/tunables/global'), '');
  await writeFile(at('current'), 'gantryd (enforce)\n');
  await writeFile(
    at('parser'),
    `#!/bin/sh\n[ ! -e ${at('broken')} ] || { echo 'unknown rule' >&2; exit 1; }\necho "== $*" >> ${at('loads')}\ncat >> ${at('loads')}\necho 'docker-default (enforce)' >> ${at('kernel/profiles')}\n`,
  );
  await chmod(at('parser'), 0o755);
  places = {
    enabled: at('enabled'),
    kernel: at('kernel'),
    policy: at('policy'),
    parser: at('parser'),
    ownProfile: [at('absent'), at('current')],
  };
});
afterEach(() => rm(folder, { recursive: true }));

test('the default profile is compiled for this machine and put in the place of an earlier one', async () => {
  const appArmor = await AppArmor.lookUp(places);
  await appArmor!.loadDefault();
  const [load] = await loads();
  expect(load).toMatch(/^-Kr\nabi <abi\/3\.0>,\n#include <tunables\/global>\n\nprofile docker-default /);
  expect(load).toContain('  signal (receive) peer=gantryd,\n');
  expect(load).not.toContain('abstractions/base');
  await appArmor!.loadDefault();
  expect(await loads()).toHaveLength(2);
});

test('a start finds the profile loaded, loads it when it is gone, and many at once load it once', async () => {
  const appArmor = await AppArmor.lookUp(places);
  await Promise.all(Array.from({ length: 5 }, () => readyProfile(ask(false), appArmor)));
  expect(await loads()).toHaveLength(1);
  expect(await readyProfile(ask(false), appArmor)).toBe('docker-default');
  expect(await loads()).toHaveLength(1);
  // A profile whose name only begins like it is another one.
  await writeFile(at('kernel/profiles'), 'docker-default-of-mine (enforce)\n');
  await readyProfile(ask(false), appArmor);
  expect(await loads()).toHaveLength(2);
});

test('a container has the default profile, the one it names, or none when it is privileged or says so', async () => {
  const appArmor = await AppArmor.lookUp(places);
  expect(profileOf(ask(false), appArmor)).toBe('docker-default');
  expect(profileOf(ask(true), appArmor)).toBe('unconfined');
  expect(profileOf(ask(false, 'apparmor=mine'), appArmor)).toBe('mine');
  expect(profileOf(ask(true, 'apparmor:mine'), appArmor)).toBe('mine');
  expect(profileOf(ask(false, 'no-new-privileges', 'apparmor=unconfined'), appArmor)).toBe('unconfined');
  expect(await readyProfile(ask(true), appArmor)).toBe('unconfined');
  expect(await loads()).toEqual([]);
});

test('what cannot be loaded fails the start by name, and the next start tries again', async () => {
  const appArmor = await AppArmor.lookUp(places);
  await writeFile(at('broken'), '');
  await expect(readyProfile(ask(false), appArmor)).rejects.toThrow(
    /^AppArmor enabled on system but the docker-default profile could not be loaded: .*unknown rule$/,
  );
  await rm(at('broken'));
  expect(await readyProfile(ask(false), appArmor)).toBe('docker-default');
  await rm(at('kernel/profiles'));
  await expect(readyProfile(ask(false), appArmor)).rejects.toThrow(
    'Could not check if docker-default AppArmor profile was loaded: ',
  );
});

test('a kernel without AppArmor, or with it switched off, gives no profile; without the compiler only named ones', async () => {
  const bare = await AppArmor.lookUp({ ...places, parser: at('absent') });
  expect(profileOf(ask(false), bare)).toBeUndefined();
  expect(profileOf(ask(false, 'apparmor=mine'), bare)).toBe('mine');
  expect(await AppArmor.lookUp({ ...places, kernel: at('absent') })).toBeUndefined();
  await writeFile(at('enabled'), 'N\n');
  expect(await AppArmor.lookUp(places)).toBeUndefined();
  expect(profileOf(ask(true, 'apparmor=mine'), undefined)).toBeUndefined();
});

test.each([
  { abi3: true, tunables: true, baseAbstraction: true },
  { abi3: false, tunables: false, baseAbstraction: false },
])('the compiler of AppArmor takes the profile: %p', (has) => {
  const compile = (input: string) =>
    execFileSync('/sbin/apparmor_parser', ['-Q', '-K', '-W', '--abort-on-error'], { input, stdio: 'pipe' });
  const text = defaultProfile({ name: 'docker-default', daemonProfile: 'a daemon of mine', has });
  compile(text);
  expect(() => compile(text.replace('deny mount,', 'deny mounting,'))).toThrow('syntax error');
});
