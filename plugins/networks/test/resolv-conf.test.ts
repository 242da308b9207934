import { expect, test } from '@jest/globals';
import { extraHosts, hostsFile } from '../sandbox/hosts-file';
import { embeddedResolvConf, hostResolvConf, legacyResolvConf, parseResolvConf } from '../sandbox/resolv-conf';

const none = { dns: [], search: [], options: [] };
const path = '/etc/resolv.conf';
const host = parseResolvConf(
  '# c\nnameserver 127.0.0.53\nnameserver 10.0.0.2\nnameserver nonsense\nsearch a b\noptions edns0 trust-ad\nsortlist 1\n',
);

test('on the default bridge loopback servers are left out', () => {
  expect(legacyResolvConf(host, path, none, false).text).toBe(
    `nameserver 10.0.0.2\nsearch a b\noptions edns0 trust-ad\nsortlist 1\n\n# Based on host file: '${path}' (legacy)\n# Invalid nameservers: [nonsense]\n# Overrides: []\n`,
  );
});

test('with nothing left public servers are used, and it says so', () => {
  const { text } = legacyResolvConf(parseResolvConf('nameserver ::1\n'), path, none, false);
  expect(text).toContain('nameserver 8.8.8.8\nnameserver 8.8.4.4\n');
  expect(text).toContain('# Used default nameservers.');
  expect(legacyResolvConf(parseResolvConf(''), path, none, true).text).toContain('2001:4860:4860::8888');
});

test('servers the user named are kept whatever they are', () => {
  expect(legacyResolvConf(host, path, { ...none, dns: ['127.0.0.1'] }, false).text).toContain('nameserver 127.0.0.1\n');
});

test('on user networks loopback servers of the host are asked from the host', () => {
  const { text, upstreams } = embeddedResolvConf(host, path, none, false);
  expect(upstreams).toEqual([
    { address: '127.0.0.53', fromHost: true },
    { address: '10.0.0.2', fromHost: false },
  ]);
  expect(text).toContain('nameserver 127.0.0.11\nsearch a b\noptions edns0 trust-ad ndots:0\n');
  expect(text).toContain('# ExtServers: [host(127.0.0.53) 10.0.0.2]');
});

test('ndots of the user stays, an invalid one is replaced', () => {
  const of = (options: string[]) => embeddedResolvConf(host, path, { ...none, options }, false).text;
  expect(of(['ndots:3'])).toContain('options ndots:3\n');
  expect(of(['ndots:-1'])).toContain('options ndots:0\n');
});

test('a search domain of one dot means none', () => {
  expect(hostResolvConf(host, path, { ...none, search: ['.'] }).text).not.toMatch(/^search/m);
});

test('extra hosts, with host-gateway and IPv6, come before the container itself', () => {
  const extra = extraHosts(['db:10.0.0.9', 'six:[fd00::1]', 'me:host-gateway'], ['172.17.0.1']);
  expect(hostsFile(extra, [{ address: '172.17.0.2', names: 'c' }])).toMatch(
    /10\.0\.0\.9\tdb\nfd00::1\tsix\n172\.17\.0\.1\tme\n172\.17\.0\.2\tc\n$/,
  );
  expect(() => extraHosts(['db:nowhere'], [])).toThrow('invalid IP address');
  expect(() => extraHosts(['db:host-gateway'], [])).toThrow('host-gateway');
});
