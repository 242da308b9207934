import { systemError } from '@gantry/sdk';
import { mountFailure } from '../mount-failure';

const said = (text: string) => systemError(`mount ended with status 32: mount: /v/_data: ${text}`);

test.each([
  [
    "unknown filesystem type 'nfs'.\n       dmesg(1) may have more information",
    'no such device (this kernel has no file system nfs; a kernel or a module with it is needed)',
  ],
  [
    'wrong fs type, bad option, bad superblock on /dev/loop0, missing codepage or helper program, or other error.',
    'invalid argument (wrong file system type, wrong option or damaged file system)',
  ],
  [
    'bad option; for several filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> helper program.',
    'invalid argument (wrong option, or one that is missing)',
  ],
  ['special device /dev/none does not exist.', 'no such file or directory'],
  ['/srv/file is not a block device.', 'block device required'],
  ['/dev/loop0 already mounted or mount point busy.', 'device or resource busy'],
  ['mount(2) system call failed: Connection refused.', 'connection refused'],
  ['something nobody foresaw\nin two lines', 'mount ended with status 32: mount: /v/_data: something nobody foresaw'],
])('mount(8) says %j', (text, expected) => {
  expect(mountFailure(said(text))).toBe(expected);
});

test('a mount made in process tells its own error', () => {
  expect(mountFailure(Object.assign(new Error('EBUSY: mount'), { errno: 16 }))).toBe('device or resource busy');
});
