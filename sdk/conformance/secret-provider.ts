import { ok } from 'node:assert/strict';
import type { SecretProvider, SecretRequest } from '../contracts/secret-provider';
import { field, secretProviderMethods as methods } from '../wire';
import type { JudgedPlugin } from './judged-plugin';
import { refuses } from './refusal';
import { type ConformanceCase, type ConformanceSuite, skip } from './suite';
import { wireCases } from './wire-cases';

/** A secret provider to judge, and what is known about it. */
export interface SecretProviderSubject {
  readonly provider: SecretProvider;
  /** A secret that it has. */
  readonly secret?: string;
  /** When the provider is behind a socket: the way to it, for cases about the wire itself. */
  readonly client?: JudgedPlugin;
}

const requestOf = (secretName: string): SecretRequest => ({ secretName, secretLabels: {}, serviceLabels: {} });

type Case = ConformanceCase<SecretProviderSubject>;
const one = (id: string, rule: Case['rule'], title: string, run: Case['run']): Case => ({
  id: `secret.${id}`,
  title,
  rule,
  run,
});
const known = ({ secret }: SecretProviderSubject): string => secret ?? skip('no secret is known that the provider has');

const cases: readonly Case[] = [
  one('get', 'P-SEC-1', 'a secret is given to whoever asks with its name alone', async (subject) => {
    const { value } = await subject.provider.getSecret(requestOf(known(subject)));
    ok(value.length > 0, 'the value is empty');
  }),
  one('get.task', 'P-SEC-1', 'a secret is given to a task that tells everything about itself', async (subject) => {
    const { value } = await subject.provider.getSecret({
      ...requestOf(known(subject)),
      secretLabels: { stage: 'test' },
      serviceHostname: 'web',
      serviceId: 's1',
      serviceName: 'web',
      serviceLabels: { tier: 'front' },
      serviceEndpoint: {
        mode: 0,
        ports: [{ name: 'http', protocol: 0, targetPort: 80, publishedPort: 8080, publishMode: 0 }],
      },
      taskId: 't1',
      taskName: 'web.1',
      taskImage: 'busybox',
      nodeId: 'n1',
    });
    ok(value.length > 0, 'the value is empty');
  }),
  one('absent', 'P-CALL-8', 'a secret that is not there is an error', async ({ provider }) => {
    await refuses(provider.getSecret(requestOf('conformance-no-such-secret')), 'an absent secret');
  }),
  one('reuse', 'P-SEC-2', 'whether a secret may be used again is told by a boolean', async (subject) => {
    const client = subject.client ?? skip('in process there is no wire');
    const told = field(
      await client.call({ ...methods.getSecret, body: { SecretName: known(subject), TaskID: 't1' } }),
      'DoNotReuse',
    );
    ok(told === undefined || typeof told === 'boolean', `DoNotReuse ${JSON.stringify(told)}`);
  }),
];

const wire = wireCases({
  prefix: 'secret',
  kind: 'secretprovider',
  methods: [[methods.getSecret.method, { SecretName: 'conformance-no-such-secret' }]],
  emptyBodies: [],
});

/** What every secret provider must do, in process and behind a socket. */
export const secretProviderSuite: ConformanceSuite<SecretProviderSubject> = {
  kind: 'secret',
  cases: [...wire.first, ...cases, ...wire.last],
};
