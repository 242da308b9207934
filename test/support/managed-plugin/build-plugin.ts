import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The plugin's config.json, as an author writes it: keys in lower case. */
export function pluginConfig(version = '1', more: object = {}): object {
  return {
    description: `a demo, version ${version}`,
    documentation: 'none',
    interface: { types: ['docker.volumedriver/1.0', 'docker.logdriver/1.0'], socket: 'demo.sock' },
    entrypoint: ['/usr/bin/perl', '/plugin.pl'],
    args: { name: 'extra', settable: ['value'], value: ['one', 'two'] },
    env: [
      { name: 'VERSION', value: version },
      { name: 'FAIL', description: 'how to fail', settable: ['value'], value: '' },
    ],
    linux: { capabilities: ['CAP_SYS_ADMIN'] },
    network: { type: 'host' },
    mounts: [
      {
        name: 'etc',
        settable: ['source'],
        source: '/etc',
        destination: '/host-etc',
        type: 'bind',
        options: ['rbind', 'ro'],
      },
    ],
    propagatedMount: '/data/mounts',
    ...more,
  };
}

/** A folder for `docker plugin create`: Debian's own Perl and a static busybox below `rootfs`, with a real plugin. */
export function buildPlugin(folder: string, config: object = pluginConfig()): string {
  const root = join(folder, 'rootfs');
  const put = (file: string, as = file) => {
    mkdirSync(dirname(join(root, as)), { recursive: true });
    copyFileSync(file, join(root, as));
  };
  for (const directory of ['data/mounts', 'run/docker/plugins', 'host-etc', 'proc', 'sys', 'dev', 'etc', 'tmp'])
    mkdirSync(join(root, directory), { recursive: true });
  put('/usr/bin/perl');
  put('/bin/busybox');
  put(join(__dirname, 'plugin.pl'), '/plugin.pl');
  for (const line of execFileSync('ldd', ['/usr/bin/perl'], { encoding: 'utf8' }).split('\n')) {
    const library = /(\/\S+) \(0x/.exec(line)?.[1];
    if (library !== undefined) put(library);
  }
  const library = execFileSync('perl', ['-MConfig', '-e', 'print((grep { m{/perl-base$} } @INC)[0])'], {
    encoding: 'utf8',
  });
  for (const part of ['strict.pm', 'warnings.pm', 'warnings', 'IO', 'IO.pm', 'Socket.pm', 'auto/IO', 'auto/Socket'])
    cpSync(join(library, part), join(root, library, part), { recursive: true });
  for (const part of ['Exporter.pm', 'Exporter', 'XSLoader.pm', 'Carp.pm', 'Symbol.pm', 'SelectSaver.pm', 'Errno.pm'])
    cpSync(join(library, part), join(root, library, part), { recursive: true });
  for (const part of [
    'Config.pm',
    'constant.pm',
    'overload.pm',
    'overloading.pm',
    'bytes.pm',
    'vars.pm',
    'Config_heavy.pl',
  ])
    cpSync(join(library, part), join(root, library, part), { recursive: true });
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  return folder;
}
