import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';

const guide = resolve(__dirname, '../../core/api/tls.md');

/** Does what the guide about TLS says, word for word: an authority, a server and a client certificate in `folder`. */
export function followRecipe(folder: string, env: Readonly<Record<string, string>> = {}): void {
  mkdirSync(folder, { recursive: true });
  const recipe = /```sh recipe\n(.*?)```/s.exec(readFileSync(guide, 'utf8'))?.[1];
  if (recipe === undefined) throw new Error(`no recipe in ${guide}`);
  execFileSync('sh', ['-c', recipe], {
    cwd: folder,
    env: { ...process.env, HOST: 'localhost', ...env },
    stdio: 'pipe',
  });
}

/**
 * Another client certificate of the authority in `authorityFolder`, as a folder that a client may use.
 *
 * @param from, until  `20200101000000Z`
 */
export function clientCertificate(
  authorityFolder: string,
  folder: string,
  how: {
    readonly subject: string;
    readonly names?: string;
    readonly usage?: string;
    readonly from?: string;
    readonly until?: string;
  },
): void {
  mkdirSync(folder, { recursive: true });
  const run = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'key.pem'];
  run('req', ...key, '-subj', how.subject, '-out', 'client.csr');
  writeFileSync(join(folder, 'index.txt'), '');
  writeFileSync(
    join(folder, 'ca.cnf'),
    `[ca]
default_ca = it
[it]
database = ${join(folder, 'index.txt')}
new_certs_dir = ${folder}
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = client
copy_extensions = none
[any]
commonName = optional
organizationName = optional
organizationalUnitName = optional
[client]
extendedKeyUsage = ${how.usage ?? 'clientAuth'}
${how.names === undefined ? '' : `subjectAltName = ${how.names}`}
`,
  );
  const authority = ['-cert', join(authorityFolder, 'ca.pem'), '-keyfile', join(authorityFolder, 'ca-key.pem')];
  const dates = ['-startdate', how.from ?? '20200101000000Z', '-enddate', how.until ?? '20400101000000Z'];
  run('ca', '-batch', '-notext', '-config', 'ca.cnf', ...authority, ...dates, '-in', 'client.csr', '-out', 'cert.pem');
  writeFileSync(join(folder, 'ca.pem'), readFileSync(join(authorityFolder, 'ca.pem')));
}

/** An authority of its own and a certificate for a server at an address or name: `ca.crt`, `server.crt`, `server.key`. */
export function serverCertificate(folder: string, host: string): void {
  mkdirSync(folder, { recursive: true });
  const run = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const key = (name: string) => [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    name,
  ];
  run('req', '-x509', ...key('ca.key'), '-subj', '/CN=private authority', '-days', '2', '-out', 'ca.crt');
  run('req', ...key('server.key'), '-subj', '/CN=server', '-out', 'server.csr');
  writeFileSync(join(folder, 'names'), `subjectAltName=${isIP(host) === 0 ? 'DNS' : 'IP'}:${host}`);
  const authority = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial'];
  run('x509', '-req', '-in', 'server.csr', ...authority, '-days', '2', '-extfile', 'names', '-out', 'server.crt');
}
