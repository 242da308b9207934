import { deepEqual, equal, ok } from 'node:assert/strict';
import type { AuthorizationPlugin, AuthorizationRequest, Verdict } from '../contracts/authz';
import { authorizationMethods as methods } from '../wire';
import type { JudgedPlugin } from './judged-plugin';
import { type ConformanceCase, type ConformanceSuite, skip } from './suite';
import { wireCases } from './wire-cases';

/** A request by its method and path, such as `GET /v1.44/info`. */
export type SampleRequest = `${string} /${string}`;

/** An authorization plugin to judge, and what is known about it. */
export interface AuthorizationSubject {
  readonly plugin: AuthorizationPlugin;
  /** A request that it must let pass. */
  readonly allowed?: SampleRequest;
  /** A request that it must refuse. */
  readonly denied?: SampleRequest;
  /** When the plugin is behind a socket: the way to it, for cases about the wire itself. */
  readonly client?: JudgedPlugin;
}

function requestOf(sample: SampleRequest, more: Partial<AuthorizationRequest> = {}): AuthorizationRequest {
  const [method = 'GET', uri = '/'] = sample.split(' ');
  return {
    user: '',
    userAuthMethod: '',
    method,
    uri,
    headers: { 'User-Agent': 'conformance' },
    body: undefined,
    peerCertificatesPem: [],
    ...more,
  };
}

const signal = () => AbortSignal.timeout(20_000);
const ask = ({ plugin }: AuthorizationSubject, sample: SampleRequest, more?: Partial<AuthorizationRequest>) =>
  plugin.request(requestOf(sample, more), signal());
const answer = (
  { plugin }: AuthorizationSubject,
  sample: SampleRequest,
  response: { status?: number; body?: Buffer } = {},
) => plugin.response(requestOf(sample), { status: 200, headers: {}, body: undefined, ...response }, signal());

/** Either verdict will do; what is thrown will not. */
function isVerdict(verdict: Verdict, about: string): void {
  ok(typeof verdict.allow === 'boolean', `${about}: the verdict is ${JSON.stringify(verdict)}`);
}

type Case = ConformanceCase<AuthorizationSubject>;
const one = (id: string, rule: Case['rule'], title: string, run: Case['run']): Case => ({
  id: `authz.${id}`,
  title,
  rule,
  run,
});
const jsonHeaders = { 'Content-Type': 'application/json' };

const cases: readonly Case[] = [
  one('allow', 'P-AZ-6', 'what is allowed passes', async (subject) => {
    if (subject.allowed === undefined) skip('no request is known that the plugin must let pass');
    deepEqual(await ask(subject, subject.allowed), { allow: true });
  }),
  one('deny', 'P-AZ-6', 'what is refused is refused with a reason', async (subject) => {
    if (subject.denied === undefined) skip('no request is known that the plugin must refuse');
    const verdict = await ask(subject, subject.denied);
    ok(!verdict.allow, `${subject.denied} passes`);
    ok(verdict.message !== '', 'the refusal has no message');
  }),
  one('every-route', 'P-AZ-7', 'every route gets a verdict', async (subject) => {
    for (const sample of [
      'HEAD /_ping',
      'GET /version',
      'GET /v1.24/info',
      'POST /v1.51/plugins/x%2Fy/enable?timeout=1',
    ])
      isVerdict(await ask(subject, sample as SampleRequest), sample);
  }),
  one('known-user', 'P-AZ-7', 'a client with a certificate gets a verdict', async (subject) => {
    const peerCertificatesPem = ['-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n'];
    isVerdict(await ask(subject, 'GET /info', { user: 'alice', userAuthMethod: 'TLS', peerCertificatesPem }), 'alice');
  }),
  one('body', 'P-AZ-1', 'a request with a JSON body gets a verdict', async (subject) => {
    const body = Buffer.from('{"Image":"busybox","HostConfig":{"Privileged":false}}');
    isVerdict(await ask(subject, 'POST /v1.51/containers/create', { body, headers: jsonHeaders }), 'a create');
  }),
  one('large-body', 'P-AZ-2', 'a body of 4 MiB is taken', async (subject) => {
    const body = Buffer.from(`{"Labels":{"large":"${'x'.repeat(4 * 1024 * 1024 - 30)}"}}`);
    isVerdict(await ask(subject, 'POST /v1.51/containers/create', { body, headers: jsonHeaders }), 'a large create');
  }),
  one('junk-body', 'P-AZ-4', 'a body that is no JSON gets a verdict', async (subject) => {
    const body = Buffer.from('{"Image": "busybox", \u0000');
    isVerdict(await ask(subject, 'POST /v1.51/containers/create', { body, headers: jsonHeaders }), 'a broken create');
  }),
  one('upgrade', 'P-AZ-9', 'a request that upgrades its connection gets a verdict', async (subject) => {
    const headers = { Connection: 'Upgrade', Upgrade: 'tcp' };
    isVerdict(await ask(subject, 'POST /v1.51/containers/x/attach?stream=1', { headers }), 'an attach');
  }),
  one('response', 'P-AZ-6', 'the answer to an allowed request gets a verdict', async (subject) => {
    isVerdict(await answer(subject, subject.allowed ?? 'GET /_ping', { body: Buffer.from('OK') }), 'an answer');
  }),
  one('response.partial', 'P-AZ-3', 'an answer whose body was sent already gets a verdict', async (subject) => {
    isVerdict(await answer(subject, 'GET /v1.51/events'), 'a streamed answer');
  }),
  one('response.failed', 'P-AZ-8', 'an answer without a status gets a verdict', async (subject) => {
    isVerdict(await answer(subject, 'GET /v1.51/containers/none/json', { status: 0 }), 'a failed request');
  }),
  one('parallel', 'P-AZ-5', 'thirty-two questions at once get the verdicts they get alone', async (subject) => {
    const samples = [subject.allowed ?? 'GET /_ping', subject.denied ?? 'GET /info'] as const;
    const alone = [(await ask(subject, samples[0])).allow, (await ask(subject, samples[1])).allow];
    const verdicts = await Promise.all(Array.from({ length: 32 }, (_, i) => ask(subject, samples[i % 2]!)));
    for (const [i, verdict] of verdicts.entries())
      equal(verdict.allow, alone[i % 2], `${samples[i % 2]} as number ${i + 1} of 32`);
  }),
];

const ping = { RequestMethod: 'GET', RequestUri: '/_ping' };
const wire = wireCases({
  prefix: 'authz',
  kind: 'authz',
  methods: [
    [methods.request.method, ping],
    [methods.response.method, { ...ping, ResponseStatusCode: 200 }],
  ],
  emptyBodies: [],
});

/** What every authorization plugin must do, in process and behind a socket. It is only asked: nothing is done. */
export const authorizationSuite: ConformanceSuite<AuthorizationSubject> = {
  kind: 'authz',
  cases: [...wire.first, ...cases, ...wire.last],
};
