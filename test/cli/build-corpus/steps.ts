import type { BuildCase } from './case';

/** RUN, stages, triggers and faults. */
export const stepCases: readonly BuildCase[] = [
  {
    name: 'output of both streams, in order of the steps',
    dockerfile: 'FROM busybox\nRUN echo out\nRUN echo err >&2\nCMD x',
    output: [
      'Step 1/4 : FROM busybox',
      ' ---> ',
      'Step 2/4 : RUN echo out',
      ' ---> Running in ',
      'out\n',
      '\u001b[91merr\n\u001b[0m',
      'Removing intermediate container ',
      ' ---> ',
      'Step 4/4 : CMD x',
      'Successfully built ',
    ],
  },
  {
    name: 'a command that fails',
    dockerfile: 'FROM busybox\nRUN exit 7\nRUN never',
    error: "The command '/bin/sh -c exit 7' returned a non-zero code: 7",
    errorCode: 7,
  },
  { name: 'a command that is not there', dockerfile: 'FROM busybox\nRUN ["/no/such"]', error: '/no/such' },
  {
    name: 'files a command makes, changes and removes',
    dockerfile: 'FROM busybox\nRUN mkdir -p /m/n && echo 1 >/m/n/f && rm /bin/wget && echo g:x:9: >/etc/group',
    files: { '/m/n/f': '1\n', '/bin/wget': '-', '/etc/group': 'g:x:9:\n' },
  },
  {
    name: 'a command sees arguments, environment, user and directory',
    dockerfile:
      'FROM busybox\nARG A=one\nENV E=two\nWORKDIR /w\nRUN chmod 777 .\nUSER nobody\nRUN echo $A $E $(pwd) $(id -un) > f',
    files: { '/w': 'd 0777 0:0', '/w/f': '0644 65534:65534 one two /w nobody\n' },
  },
  {
    name: 'arguments are in the history, proxies are not',
    dockerfile: 'FROM busybox\nARG A=1\nRUN env | grep -i -e ^A= -e proxy',
    query: { buildargs: { HTTP_PROXY: 'http://p' } },
    output: ['A=1\n'],
  },
  {
    name: 'a list is run without a shell',
    dockerfile: 'FROM busybox\nRUN ["touch", "/$HOME"]',
    files: { '/$HOME': '' },
  },
  {
    name: 'an entrypoint is not in the way',
    dockerfile: 'FROM busybox\nENTRYPOINT ["/bin/false"]\nRUN touch /x',
    files: { '/x': '' },
  },
  {
    name: 'a script in a here-document, and one with its own interpreter',
    dockerfile:
      'FROM busybox\nRUN <<EOF\nset -e\necho $HOME > /a\necho 2 >> /a\nEOF\nRUN <<-X\n#!/bin/sh -e\n\techo "$0" > /b\nX\nRUN cat <<Y > /c\n$HOME\nY',
    files: { '/a': '/root\n2\n', '/b': '/dev/pipes/X\n', '/c': '/root\n' },
    notClassic: 'it has no here-documents',
  },
  {
    name: 'continued lines are one command',
    dockerfile: 'FROM busybox\nRUN echo a \\\n    && echo b \\\n# note\n    && touch /f',
    output: ['Step 2/2 : RUN echo a     && echo b     && touch /f'],
    files: { '/f': '' },
  },
  {
    name: 'RUN --mount of the context and of a stage leaves nothing in the image',
    dockerfile:
      'FROM busybox AS src\nRUN echo s > /s\nFROM busybox\nRUN --mount=target=/ctx,source=d --mount=type=bind,from=src,source=/s,target=/mnt/deep/s cat /ctx/f /mnt/deep/s > /out && ! touch /ctx/g 2>/dev/null',
    context: { 'd/f': 'ctx\n' },
    files: { '/out': 'ctx\ns\n' },
    notClassic: 'RUN --mount needs BuildKit there',
  },
  {
    name: 'RUN --mount=type=cache lasts from step to step, tmpfs does not',
    dockerfile:
      'FROM busybox\nRUN --mount=type=cache,id=corpus,target=/cache,mode=0700 echo 1 >> /cache/n; stat -c %a /cache\nRUN --mount=type=cache,id=corpus,target=/other --mount=type=tmpfs,target=/t,size=1m cat /other/n > /n; mount | grep " /t " | grep -c size=1024k',
    files: { '/n': '1\n' },
    output: ['700\n', '1\n'],
    notClassic: 'RUN --mount needs BuildKit there',
  },
  {
    name: 'RUN --mount=type=secret',
    dockerfile: 'FROM busybox\nRUN --mount=type=secret,id=x cat /run/secrets/x',
    error: 'needs a build session',
    notClassic: 'another text',
  },
  {
    name: 'RUN --security=insecure',
    dockerfile: 'FROM busybox\nRUN --security=insecure x',
    error: 'granting entitlement security.insecure is not allowed by build daemon configuration',
    notClassic: 'another text',
  },
  {
    name: 'RUN --network=none',
    dockerfile: 'FROM busybox\nRUN --network=none ls /sys/class/net > /n',
    files: { '/n': 'lo\n' },
    notClassic: 'needs BuildKit there',
  },
  {
    name: 'networkmode none',
    dockerfile: 'FROM busybox\nRUN ls /sys/class/net > /n',
    query: { networkmode: 'none' },
    files: { '/n': 'lo\n' },
  },
  {
    name: 'limits and hosts of the build',
    dockerfile: 'FROM busybox\nRUN ulimit -n; grep extra /etc/hosts; df -k /dev/shm | tail -1',
    query: {
      ulimits: '[{"Name":"nofile","Soft":77,"Hard":77}]',
      extrahosts: 'extra:192.0.2.9',
      shmsize: '1048576',
      memory: '67108864',
      memswap: '-1',
    },
    output: ['77\n', '192.0.2.9', '1024'],
  },
  {
    name: 'only the stages the target needs are built',
    dockerfile:
      'FROM busybox AS one\nRUN touch /1\nFROM busybox AS unused\nRUN false\nFROM one AS two\nRUN touch /2\nFROM busybox\nRUN false',
    query: { target: 'two' },
    files: { '/1': '', '/2': '' },
    output: ['Step 4/4 : RUN touch /2'],
    notClassic: 'it builds all stages before the target',
  },
  {
    name: 'a target by number',
    dockerfile: 'FROM busybox\nRUN touch /1\nFROM busybox\nRUN false',
    query: { target: '0' },
    error: 'failed to reach build target 0 in Dockerfile',
    status: 400,
  },
  {
    name: 'a stage on a stage has its configuration',
    dockerfile: 'FROM busybox AS a\nENV X=1\nWORKDIR /tmp\nFROM a AS b\nENV Y=$X\nFROM b',
    config: { Env: ['PATH=/bin', 'X=1', 'Y=1'], WorkingDir: '/tmp' },
  },
  {
    name: 'triggers of a base image are carried out first',
    dockerfile: 'FROM busybox AS base\nONBUILD ENV T=1\nONBUILD COPY f /f\nFROM base\nENV U=$T',
    context: { f: 'F' },
    config: { Env: ['PATH=/bin', 'T=1', 'U=1'], OnBuild: null },
    files: { '/f': 'F' },
    output: ['# Executing 2 build triggers'],
  },
  {
    name: 'a target that is not there',
    dockerfile: 'FROM busybox',
    query: { target: 'x' },
    error: 'failed to reach build target x in Dockerfile',
    status: 400,
  },
  {
    name: 'an unknown instruction',
    dockerfile: 'FROM busybox\n\nFOO bar',
    error: 'line 3: unknown instruction: FOO',
    status: 400,
  },
  { name: 'no stage', dockerfile: 'RUN x', error: 'no build stage in current context', status: 400 },
  { name: 'an empty Dockerfile', dockerfile: '', error: 'the Dockerfile (Dockerfile) cannot be empty', status: 400 },
  {
    name: 'a bad platform',
    dockerfile: 'FROM busybox',
    query: { platform: 'what/is/this/thing' },
    error: 'platform',
    status: 400,
  },
  {
    name: 'a platform that is not there',
    dockerfile: 'FROM --platform=linux/s390x localhost:1/x',
    error: 'localhost:1',
    notClassic: 'another text',
  },
  {
    name: 'a stage name used twice',
    dockerfile: 'FROM busybox AS a\nFROM busybox AS a',
    error: 'name already used',
    status: 400,
    notClassic: 'told in the stream',
  },
  {
    name: 'a circle',
    dockerfile: 'FROM busybox AS a\nCOPY --from=a /x /y',
    error: 'circular dependency',
    status: 400,
    notClassic: 'another text',
  },
  { name: 'a bad signal', dockerfile: 'FROM busybox\nSTOPSIGNAL SIGNOPE', error: 'nvalid signal: SIGNOPE' },
  { name: 'a bad port', dockerfile: 'FROM busybox\nEXPOSE many', error: 'nvalid containerPort: many' },
];
