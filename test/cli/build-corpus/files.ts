import { gzipSync } from 'node:zlib';
import { makeTar } from '../../support/tar';
import type { BuildCase } from './case';

const archive = makeTar([
  { name: 'un/' },
  { name: 'un/f', data: 'in', uid: 3, gid: 4, mode: 0o600 },
  { name: 'un/l', link: 'f' },
]);

const tree = {
  'a.txt': 'A',
  'b.md': 'B',
  'dir/': { mode: 0o700 },
  'dir/c.txt': 'C',
  'dir/sub/d.md': 'D',
  'dir/run': { data: 'R', mode: 0o755 },
};

/** COPY and ADD. */
export const fileCases: readonly BuildCase[] = [
  { name: 'a file to a name', dockerfile: 'FROM busybox\nCOPY a.txt /x/y', context: tree, files: { '/x/y': 'A' } },
  {
    name: 'a file into a folder',
    dockerfile: 'FROM busybox\nCOPY a.txt /x/',
    context: tree,
    files: { '/x/a.txt': 'A' },
  },
  {
    name: 'a file into a folder that exists',
    dockerfile: 'FROM busybox\nCOPY a.txt /tmp',
    context: tree,
    files: { '/tmp/a.txt': 'A' },
  },
  {
    name: 'several files, relative to the working directory',
    dockerfile: 'FROM busybox\nWORKDIR /w\nCOPY a.txt b.md ./in/',
    context: tree,
    files: { '/w/in/a.txt': 'A', '/w/in/b.md': 'B' },
  },
  {
    name: 'the content of a folder, with modes',
    dockerfile: 'FROM busybox\nCOPY dir /new',
    context: tree,
    files: { '/new': 'd 0755 0:0', '/new/c.txt': 'C', '/new/sub/d.md': 'D', '/new/run': '0755 0:0 R' },
  },
  {
    name: 'everything',
    dockerfile: 'FROM busybox\nCOPY . /all/',
    context: tree,
    files: {
      '/all/Dockerfile': 'FROM busybox\nCOPY . /all/',
      '/all/a.txt': 'A',
      '/all/b.md': 'B',
      '/all/dir/c.txt': 'C',
      '/all/dir/sub/d.md': 'D',
      '/all/dir/run': '0755 0:0 R',
    },
  },
  {
    name: 'wildcards',
    dockerfile: 'FROM busybox\nCOPY *.txt d*/c.??t /w/',
    context: tree,
    files: { '/w/a.txt': 'A', '/w/c.txt': 'C' },
  },
  {
    name: 'names with spaces, as a list',
    dockerfile: 'FROM busybox\nCOPY ["a b", "/to here/"]',
    context: { 'a b': 'x' },
    files: { '/to here/a b': 'x' },
  },
  {
    name: 'variables in paths',
    dockerfile: 'FROM busybox\nARG F=a\nENV TO=/x\nCOPY ${F}.txt $TO/${F:-b}',
    context: tree,
    files: { '/x/a': 'A' },
  },
  {
    name: 'a link is followed when it is named, and kept inside a folder',
    dockerfile: 'FROM busybox\nCOPY link /x/\nCOPY d /y',
    context: { real: 'R', link: { link: 'real' }, 'd/in': { link: '../real' } },
    files: { '/x/link': 'R', '/y/in': 'l ../real' },
  },
  {
    name: 'owners by number and by name',
    dockerfile:
      'FROM busybox\nCOPY --chown=7:8 a.txt /a\nCOPY --chown=nobody:nobody a.txt /b\nCOPY --chown=9 dir/sub /s',
    context: tree,
    files: { '/a': '0644 7:8 A', '/b': '0644 65534:65534 A', '/s': 'd 0755 9:9', '/s/d.md': '0644 9:9 D' },
  },
  {
    name: 'an owner the image does not know',
    dockerfile: 'FROM busybox\nCOPY --chown=who a.txt /a',
    context: tree,
    error: "can't find uid for user who: no such user: who",
  },
  {
    name: 'modes by number and by letter',
    dockerfile: 'FROM busybox\nCOPY --chmod=4755 a.txt /a\nCOPY --chmod=u=rwX,go= dir /d',
    context: tree,
    files: {
      '/a': '4755 0:0 A',
      '/d': 'd 0755 0:0',
      '/d/c.txt': '0600 0:0 C',
      '/d/sub/d.md': '0600 0:0 D',
      '/d/run': '0700 0:0 R',
    },
    notClassic: '--chmod needs BuildKit there',
  },
  {
    name: 'parents are kept, excluded files left out',
    dockerfile:
      'FROM busybox\nCOPY --parents --exclude=*.md dir/sub dir/c.txt /p/\nCOPY --exclude=**/*.md --exclude=!dir/sub/d.md . /q/',
    context: { 'a.txt': 'A', 'dir/c.txt': 'C', 'dir/sub/d.md': 'D', 'dir/e.md': 'E', 'dir/sub/f': 'F' },
    files: {
      '/p/dir/sub/f': 'F',
      '/p/dir/c.txt': 'C',
      '/q/a.txt': 'A',
      '/q/Dockerfile':
        'FROM busybox\nCOPY --parents --exclude=*.md dir/sub dir/c.txt /p/\nCOPY --exclude=**/*.md --exclude=!dir/sub/d.md . /q/',
      '/q/dir/c.txt': 'C',
      '/q/dir/sub/d.md': 'D',
      '/q/dir/sub/f': 'F',
    },
    notClassic: 'flags of newer frontends',
  },
  {
    name: 'link is accepted',
    dockerfile: 'FROM busybox\nCOPY --link a.txt /x/',
    context: tree,
    files: { '/x/a.txt': 'A' },
    notClassic: '--link needs BuildKit there',
  },
  {
    name: 'a file replaces a file and a link of the image',
    dockerfile: 'FROM busybox\nCOPY a.txt /bin/wget\nCOPY a.txt /etc/passwd',
    context: tree,
    files: { '/bin/busybox': 'A', '/etc/passwd': 'A' },
    notClassic: 'its busybox links differ',
  },
  {
    name: 'here-documents as files',
    dockerfile:
      'FROM busybox\nENV N=name\nCOPY <<one <<-"two" /h/\nhello $N\none\n\tkept $N\ntwo\nCOPY <<x /single\n${N}\nx',
    files: { '/h/one': 'hello name\n', '/h/two': 'kept $N\n', '/single': 'name\n' },
    notClassic: 'it has no here-documents',
  },
  {
    name: 'a local archive is unpacked by ADD, and not by COPY',
    dockerfile: 'FROM busybox\nADD t.tgz /a/\nCOPY t.tar /packed/\nADD a.txt /plain/\nADD t.tar a.txt /b/',
    context: { 't.tgz': { data: gzipSync(archive) }, 't.tar': { data: archive }, 'a.txt': 'A' },
    files: {
      '/a/un/f': '0600 3:4 in',
      '/a/un/l': 'l f',
      '/b/un/f': '0600 3:4 in',
      '/b/un/l': 'l f',
      '/b/a.txt': 'A',
      '/packed/t.tar': archive.toString(),
      '/plain/a.txt': 'A',
    },
  },
  {
    name: 'files of another stage keep their owners and modes',
    dockerfile:
      'FROM busybox AS one\nRUN mkdir -m 750 /o && echo x >/o/f && chown -R 5:6 /o && chmod 4711 /o/f && ln -s f /o/l\nFROM scratch\nCOPY --from=one /o /o\nCOPY --from=0 /o/f /g',
    files: { '/o': 'd 0755 0:0', '/o/f': '4711 5:6 x\n', '/o/l': 'l f', '/g': '4711 5:6 x\n' },
  },
  {
    name: 'files of an image',
    dockerfile: 'FROM scratch\nCOPY --from=busybox /etc/group /etc/passwd /x/',
    files: {
      '/x/group': 'root:x:0:\nnobody:x:65534:\n',
      '/x/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
    },
  },
  {
    name: 'a missing file',
    dockerfile: 'FROM busybox\nCOPY nothing /x',
    context: tree,
    error:
      'COPY failed: file not found in build context or excluded by .dockerignore: stat nothing: file does not exist',
  },
  {
    name: 'wildcards that match nothing',
    dockerfile: 'FROM busybox\nCOPY *.zip [z-a]* /x/',
    context: tree,
    error: 'COPY failed: no source files were specified',
  },
  {
    name: 'a path out of the context',
    dockerfile: 'FROM busybox\nCOPY ../secret /x',
    context: tree,
    error: 'COPY failed: forbidden path outside the build context: ../secret ()',
  },
  {
    name: 'a link out of the context leads nowhere',
    dockerfile: 'FROM busybox\nCOPY out /x\nCOPY up/passwd /y',
    context: { out: { link: '/etc/shadow' }, up: { link: '../../../../etc' } },
    error: 'file does not exist',
  },
  {
    name: 'several files need a folder',
    dockerfile: 'FROM busybox\nCOPY a.txt b.md /x',
    context: tree,
    error: 'When using COPY with more than one source file, the destination must be a directory and end with a /',
  },
  { name: 'COPY from a URL', dockerfile: 'FROM busybox\nCOPY http://x/y /z', error: "source can't be a URL for COPY" },
  {
    name: 'a stage that does not exist is taken for an image',
    dockerfile: 'FROM busybox\nCOPY --from=localhost:1/nope /x /y',
    error: 'invalid from flag value localhost:1/nope',
  },
  {
    name: 'a file missing in another stage',
    dockerfile: 'FROM busybox AS a\nFROM busybox\nCOPY --from=a /nothing /x',
    error: 'COPY failed: stat nothing: file does not exist',
  },
  {
    name: 'the context’s ignore file hides the Dockerfile and itself',
    dockerfile: 'FROM busybox\nCOPY . /c/',
    context: { '.dockerignore': 'Dockerfile\n.dockerignore\n', keep: 'k' },
    files: { '/c/keep': 'k' },
  },
];
