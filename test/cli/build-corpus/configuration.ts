import type { BuildCase } from './case';

const path = 'PATH=/bin';

/** Instructions that change the image's configuration. */
export const configurationCases: readonly BuildCase[] = [
  {
    name: 'ENV in both forms, with variables, quotes and escapes',
    dockerfile:
      'FROM busybox\nENV A=1 B="two words" C=three\\ words\nENV OLD form value\nENV D=$A-$B E=${A:+set} F=\'$A\' G="\\$A"\nENV A=2 H=$A',
    config: {
      Env: [
        path,
        'A=2',
        'B=two words',
        'C=three words',
        'OLD=form value',
        'D=1-two words',
        'E=set',
        'F=$A',
        'G=$A',
        'H=1',
      ],
    },
  },
  {
    name: 'LABEL in many forms',
    dockerfile: 'FROM busybox\nLABEL a=1 "b c"="d e" f.g=h\\\ni\nLABEL a=2 multi="x \\\ny"',
    config: { Labels: { a: '2', 'b c': 'd e', 'f.g': 'hi', multi: 'x y' } },
  },
  { name: 'CMD as a list', dockerfile: 'FROM busybox\nCMD ["echo", "a b"]', config: { Cmd: ['echo', 'a b'] } },
  {
    name: 'CMD for a shell',
    dockerfile: 'FROM busybox\nCMD echo $HOME',
    config: { Cmd: ['/bin/sh', '-c', 'echo $HOME'] },
  },
  {
    name: 'the last CMD counts',
    dockerfile: 'FROM busybox\nCMD one\nCMD ["two"]',
    config: { Cmd: ['two'] },
  },
  {
    name: 'ENTRYPOINT takes the base image’s command away',
    dockerfile: 'FROM busybox\nENTRYPOINT ["/bin/echo"]',
    config: { Entrypoint: ['/bin/echo'], Cmd: null },
  },
  {
    name: 'ENTRYPOINT leaves a CMD given before it',
    dockerfile: 'FROM busybox\nCMD ["x"]\nENTRYPOINT ["/bin/echo"]',
    config: { Entrypoint: ['/bin/echo'], Cmd: ['x'] },
  },
  {
    name: 'ENTRYPOINT for a shell',
    dockerfile: 'FROM busybox\nENTRYPOINT exec top -b',
    config: { Entrypoint: ['/bin/sh', '-c', 'exec top -b'] },
  },
  {
    name: 'EXPOSE with protocols, ranges and variables',
    dockerfile: 'FROM busybox\nENV P=8080\nEXPOSE 80 443/tcp $P/udp 9000-9002',
    config: {
      ExposedPorts: { '80/tcp': {}, '443/tcp': {}, '8080/udp': {}, '9000/tcp': {}, '9001/tcp': {}, '9002/tcp': {} },
    },
  },
  {
    name: 'VOLUME as words and as a list',
    dockerfile: 'FROM busybox\nENV D=/data\nVOLUME $D /var/log\nVOLUME ["/with space"]',
    config: { Volumes: { '/data': {}, '/var/log': {}, '/with space': {} } },
  },
  { name: 'USER', dockerfile: 'FROM busybox\nARG U=nobody\nUSER $U:1000', config: { User: 'nobody:1000' } },
  { name: 'STOPSIGNAL', dockerfile: 'FROM busybox\nSTOPSIGNAL SIGQUIT', config: { StopSignal: 'SIGQUIT' } },
  {
    name: 'HEALTHCHECK with all its flags',
    dockerfile:
      'FROM busybox\nHEALTHCHECK --interval=5m --timeout=3s --start-period=10s --retries=4 CMD wget -q localhost || exit 1',
    config: {
      Healthcheck: {
        Test: ['CMD-SHELL', 'wget -q localhost || exit 1'],
        Interval: 300e9,
        Timeout: 3e9,
        StartPeriod: 10e9,
        Retries: 4,
      },
    },
  },
  {
    name: 'HEALTHCHECK as a list, and none',
    dockerfile: 'FROM busybox AS a\nHEALTHCHECK CMD ["true"]\nFROM a\nHEALTHCHECK NONE',
    config: { Healthcheck: { Test: ['NONE'] } },
  },
  {
    name: 'SHELL changes what CMD, ENTRYPOINT and RUN are given to',
    dockerfile: 'FROM busybox\nSHELL ["/bin/sh", "-ec"]\nRUN false; true > /no || true\nCMD echo hi',
    error: "The command '/bin/sh -ec false; true > /no || true' returned a non-zero code: 1",
    errorCode: 1,
  },
  {
    name: 'SHELL is kept in the image',
    dockerfile: 'FROM busybox\nSHELL ["/bin/sh", "-xc"]\nCMD echo hi',
    config: { Shell: ['/bin/sh', '-xc'], Cmd: ['/bin/sh', '-xc', 'echo hi'] },
  },
  {
    name: 'WORKDIR, absolute and relative, made on the way',
    dockerfile: 'FROM busybox\nENV D=x\nWORKDIR /a\nWORKDIR b/$D\nWORKDIR ../c',
    config: { WorkingDir: '/a/b/c' },
    files: { '/a': 'd 0755 0:0', '/a/b': 'd 0755 0:0', '/a/b/x': 'd 0755 0:0', '/a/b/c': 'd 0755 0:0' },
  },
  {
    name: 'WORKDIR that exists adds no layer',
    dockerfile: 'FROM busybox\nWORKDIR /tmp',
    config: { WorkingDir: '/tmp' },
    files: {},
  },
  {
    name: 'MAINTAINER',
    dockerfile: 'FROM busybox\nMAINTAINER A Person <a@person>',
    inspect: { Author: 'A Person <a@person>' },
  },
  {
    name: 'labels of the client come last',
    dockerfile: 'FROM busybox\nLABEL a=1 b=2',
    query: { labels: { b: '3', c: '$A "q"' } },
    config: { Labels: { a: '1', b: '3', c: '$A "q"' } },
    output: ['Step 3/4 : LABEL', 'Step 4/4 : LABEL'],
  },
  {
    name: 'an image on nothing has a path',
    dockerfile: 'FROM scratch\nCOPY a /a\nCMD ["/a"]',
    context: { a: 'x' },
    config: { Cmd: ['/a'], Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'] },
  },
  {
    name: 'ONBUILD is kept, and not carried out',
    dockerfile: 'FROM busybox\nONBUILD COPY . /app\nONBUILD RUN echo $X "y"',
    config: { OnBuild: ['COPY . /app', 'RUN echo $X "y"'] },
  },
  {
    name: 'ARG before FROM, in a stage, and what ENV does to it',
    dockerfile:
      'ARG BASE=nothing\nARG V=1\nFROM $BASE\nARG V\nARG W=${V}x\nARG E=arg\nENV E=env\nLABEL v=$V w=$W e=$E base=$BASE none=${NONE:-default}',
    query: { buildargs: { BASE: 'busybox', E: 'given' } },
    config: { Labels: { v: '1', w: '1x', e: 'env', base: '', none: 'default' } },
  },
  {
    name: 'arguments nobody asked for are named',
    dockerfile: 'FROM busybox\nARG used',
    query: { buildargs: { used: '1', other: '2', HTTP_PROXY: 'x' } },
    output: ['[Warning] One or more build-args [other] were not consumed'],
  },
  {
    name: 'all operators of variables',
    dockerfile:
      'FROM busybox\nENV P=/a/b.tar.gz E=\nLABEL a=${P#*/} b=${P##*/} c=${P%.*} d=${P%%.*} e=${P/a/x} f=${P//[ab]/x} g=${E:-d} h=${E-d}',
    config: {
      Labels: {
        a: 'a/b.tar.gz',
        b: 'b.tar.gz',
        c: '/a/b.tar',
        d: '/a/b',
        e: '/x/b.tar.gz',
        f: '/a/b.tar.gz',
        g: 'd',
        h: '',
      },
    },
    notClassic: 'its parser is older than these operators',
  },
  {
    name: 'a backtick as escape character',
    dockerfile: '# escape=`\nFROM busybox\nENV A=c:\\dir\nLABEL a=$A `\n  b=2',
    config: { Labels: { a: 'c:\\dir', b: '2' } },
  },
  {
    name: 'platform arguments',
    dockerfile: 'FROM --platform=$BUILDPLATFORM busybox\nARG TARGETOS\nARG TARGETPLATFORM\nLABEL os=$TARGETOS',
    config: { Labels: { os: 'linux' } },
    notClassic: 'it has no automatic platform arguments',
  },
  {
    name: 'comments, empty lines, lower case and odd spacing',
    dockerfile: '\n# note\n  from   busybox  \n\n   # another\n\tenv   A=1   \\\n# between\n\n     B=2  \nlabel x=y',
    config: { Env: [path, 'A=1', 'B=2'], Labels: { x: 'y' } },
  },
];
