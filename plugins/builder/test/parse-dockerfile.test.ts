import type { Instruction } from '../dockerfile/instructions';
import { parseDockerfile, parseTriggers } from '../dockerfile/parse-dockerfile';

const parse = (text: string) => parseDockerfile(text, 'Dockerfile');
/** Bodies of the instructions of the only stage. */
const bodies = (text: string) =>
  parse(`FROM a\n${text}`).stages[0]!.instructions.map(({ at: _, ...body }: Instruction) => body);
const body = (text: string) => bodies(text)[0]!;
const error = (text: string) => {
  try {
    parse(text);
  } catch (failure) {
    return (failure as Error).message;
  }
  return 'no error';
};

test('stages have names, bases and platforms, global arguments stand before them', () => {
  const { globalArgs, stages } = parse('ARG V=1\nFROM --platform=$P a:$V AS Build\nRUN x\nfrom build');
  expect(globalArgs.map(({ args }) => args)).toEqual([[{ name: 'V', value: '1' }]]);
  expect(stages).toMatchObject([
    { base: 'a:$V', name: 'build', platform: '$P' },
    { base: 'build', name: undefined },
  ]);
  expect(stages[0]!.instructions).toHaveLength(1);
});

test('continuation lines are joined; comments and empty lines between them are dropped', () => {
  const { instructions } = parse('FROM a\nRUN one \\\n  # note\n\n  two \\  \n  three\nCMD x').stages[0]!;
  expect(instructions[0]!.at).toMatchObject({ line: 2, text: 'RUN one   two   three' });
  expect(instructions[1]!.at.line).toBe(7);
});

test('a doubled escape does not continue a line, a BOM and CRLF do no harm', () => {
  expect(parse('\ufeffFROM a\r\nRUN x\\\\\r\nRUN y').stages[0]!.instructions).toHaveLength(2);
});

test('directives count only at the top', () => {
  expect(parse('# escape=`\nFROM a\nRUN x `\n y').escape).toBe('`');
  expect(parse('# note\n# escape=`\nFROM a').escape).toBe('\\');
  expect(parse('#syntax=docker/dockerfile:1\n# check=skip=all\nFROM a').escape).toBe('\\');
  expect(error('# escape=x\nFROM a')).toContain("invalid escape token 'x'");
  expect(error('# escape=`\n# escape=`\nFROM a')).toContain('only one escape parser directive');
});

test.each<[string, object]>([
  ['RUN echo  hi', { kind: 'run', command: { form: 'shell', words: ['echo  hi'] } }],
  ['RUN ["a", "b c"]', { command: { form: 'exec', words: ['a', 'b c'] } }],
  ['RUN [not json]', { command: { form: 'shell', words: ['[not json]'] } }],
  ['CMD', { kind: 'cmd', command: { form: 'shell', words: [] } }],
  ['ENTRYPOINT []', { kind: 'entrypoint', command: { form: 'exec', words: [] } }],
  [
    'ENV a=1 b="x y" c=\\ z',
    {
      pairs: [
        { name: 'a', value: '1' },
        { name: 'b', value: '"x y"' },
        { name: 'c', value: '\\ z' },
      ],
    },
  ],
  ['ENV old  form = text ', { pairs: [{ name: 'old', value: 'form = text' }] }],
  ['LABEL "a b"="c d"', { kind: 'label', pairs: [{ name: '"a b"', value: '"c d"' }] }],
  [
    'ARG x y=2',
    {
      args: [
        { name: 'x', value: undefined },
        { name: 'y', value: '2' },
      ],
    },
  ],
  [
    'COPY --from=b --chown=1:2 --chmod=755 --link --parents --exclude=*.md --exclude=x a b /c/',
    {
      from: 'b',
      chown: '1:2',
      chmod: '755',
      link: true,
      parents: true,
      excludes: ['*.md', 'x'],
      sources: ['a', 'b'],
      destination: '/c/',
    },
  ],
  ['ADD ["a b", "/c d"]', { kind: 'add', sources: ['a b'], destination: '/c d' }],
  [
    'ADD --checksum=sha256:00 --keep-git-dir=true --unpack=false u d',
    { checksum: 'sha256:00', keepGitDirectory: true, unpack: false },
  ],
  ['EXPOSE 80 443/tcp', { ports: ['80', '443/tcp'] }],
  ['VOLUME ["/a", "/b"]', { paths: ['/a', '/b'] }],
  ['VOLUME /a /b', { paths: ['/a', '/b'] }],
  ['USER  me:you', { user: 'me:you' }],
  ['WORKDIR /a b', { path: '/a b' }],
  ['SHELL ["bash", "-c"]', { words: ['bash', '-c'] }],
  ['STOPSIGNAL SIGINT', { signal: 'SIGINT' }],
  ['MAINTAINER A B <a@b>', { name: 'A B <a@b>' }],
  ['ONBUILD RUN --network=none x', { trigger: 'RUN --network=none x' }],
  ['HEALTHCHECK NONE', { health: { Test: ['NONE'] } }],
  [
    'HEALTHCHECK --interval=1m30s --timeout=3s --retries=2 --start-period=1s --start-interval=500ms CMD curl x',
    {
      health: {
        Test: ['CMD-SHELL', 'curl x'],
        Interval: 90e9,
        Timeout: 3e9,
        Retries: 2,
        StartPeriod: 1e9,
        StartInterval: 5e8,
      },
    },
  ],
  ['HEALTHCHECK CMD ["a", "b"]', { health: { Test: ['CMD', 'a', 'b'] } }],
  [
    'RUN --mount=type=cache,target=/c,sharing=locked,mode=0700,uid=5 --network=none --security=sandbox x',
    {
      network: 'none',
      security: 'sandbox',
      mounts: [{ type: 'cache', target: '/c', sharing: 'locked', mode: 0o700, uid: 5, readOnly: false }],
    },
  ],
  [
    'RUN --mount=target=/src,source=a,from=b x',
    { mounts: [{ type: 'bind', target: '/src', source: 'a', from: 'b', readOnly: true }] },
  ],
  ['RUN --mount=type=bind,dst=/src,rw x', { mounts: [{ readOnly: false }] }],
  ['RUN --mount=type=tmpfs,target=/t,size=64m x', { mounts: [{ type: 'tmpfs', sizeBytes: 64 << 20 }] }],
])('%s', (text, expected) => {
  expect(body(text)).toMatchObject(expected);
});

test('here-documents belong to the instruction that announces them', () => {
  const [run, copy, last] = bodies(
    'RUN <<EOF\necho $x\nEOF\nCOPY <<-"A" <<B f /d/\n\tone\n\t\tA2\nA\n$two\nB\nRUN cat <<X >f\n# kept\nX',
  );
  expect(run).toMatchObject({ heredocs: [{ name: 'EOF', expand: true, content: 'echo $x\n' }] });
  expect(copy).toMatchObject({
    sources: ['f'],
    inline: [
      { name: 'A', expand: false, chomp: true, content: '\tone\n\t\tA2\n' },
      { name: 'B', expand: true, content: '$two\n' },
    ],
  });
  expect(last).toMatchObject({ command: { words: ['cat <<X >f'] }, heredocs: [{ content: '# kept\n' }] });
});

test('triggers are parsed as instructions', () => {
  expect(parseTriggers(['COPY a b', 'RUN x'], 'base').map(({ kind }) => kind)).toEqual(['copy', 'run']);
});

test.each([
  [
    'FROM a\nFOO bar',
    'dockerfile parse error on line 2: unknown instruction: FOO (did you mean FROM?)\nDockerfile:2: FOO bar',
  ],
  ['FROM a\nCOPPY a b', 'unknown instruction: COPPY (did you mean COPY?)'],
  ['FROM', 'dockerfile parse error on line 1: FROM requires either one or three arguments'],
  ['FROM a b c', 'FROM requires either one or three arguments'],
  ['FROM a AS 1x', 'invalid name for build stage: "1x"'],
  ['RUN x', 'no build stage in current context'],
  ['# nothing', 'file with no instructions'],
  ['ARG a', 'no stages to build'],
  ['FROM a\nENV x', 'ENV must have two arguments'],
  ['FROM a\nENV a=1 b', 'can\'t find = in "b"'],
  ['FROM a\nENV =1', 'ENV names can not be blank'],
  ['FROM a\nCOPY a', 'COPY requires at least two arguments, but only one was provided'],
  ['FROM a\nCOPY --nope=1 a b', 'unknown flag: --nope'],
  ['FROM a\nCOPY --chwon=1 a b', 'unknown flag: --chwon (did you mean chown?)'],
  ['FROM a\nCOPY --link=maybe a b', 'expecting boolean value for flag --link, not: maybe'],
  ['FROM a\nCOPY --from a b', 'missing a value on flag: --from'],
  ['FROM a\nCOPY --from=a --from=b a b', 'duplicate flag specified: --from'],
  ['FROM a\nRUN ["a", 1]', 'arrays must be comprised of strings only'],
  ['FROM a\nSHELL bash', 'SHELL requires the arguments to be in JSON form'],
  ['FROM a\nONBUILD ONBUILD RUN x', "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
  ['FROM a\nONBUILD FROM b', "FROM isn't allowed as an ONBUILD trigger"],
  ['FROM a\nHEALTHCHECK x', 'Unknown type "X" in HEALTHCHECK (try CMD)'],
  ['FROM a\nHEALTHCHECK CMD', 'Missing command after HEALTHCHECK CMD'],
  ['FROM a\nHEALTHCHECK --interval=1us CMD x', 'Interval "interval" cannot be less than 1ms'],
  ['FROM a\nHEALTHCHECK --interval=5 CMD x', 'time: missing unit in duration "5"'],
  ['FROM a\nVOLUME ["", "a"]', 'VOLUME specified can not be an empty string'],
  ['FROM a\nEXPOSE', 'EXPOSE requires at least one argument'],
  ['FROM a\nRUN <<EOF\nx', 'unterminated heredoc'],
  ['FROM a\nRUN --mount=type=nope,target=/x y', 'unsupported mount type "nope"'],
  ['FROM a\nRUN --mount=type=cache,target=/x,sharing=all y', 'unsupported sharing value "all"'],
  ['FROM a\nRUN --mount=type=bind y', 'target is required'],
  ['FROM a\nRUN --network=weird y', 'unsupported network mode: weird'],
])('%j is refused', (text, message) => {
  expect(error(text)).toContain(message);
});
