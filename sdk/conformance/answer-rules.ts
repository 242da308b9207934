import { isIP } from 'node:net';
import {
  authorizationMethods,
  field,
  ipamDriverMethods,
  logDriverMethods,
  objectField,
  secretProviderMethods,
  stringField,
  volumeDriverMethods,
} from '../wire';
import type { RuleId } from './rules';

/** A rule that the answer of one method keeps whenever it is no error. */
export interface AnswerRule {
  readonly rule: RuleId;
  /** Last part of the id of the case that fails for it. */
  readonly id: string;
  /** A sentence. */
  readonly title: string;
  /** What is wrong with the answer, or undefined. */
  readonly wrong: (body: unknown) => string | undefined;
}

const shown = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value));

/** True for `10.0.0.1/24` and `fd00::1/64`. */
export function isCidr(text: string): boolean {
  const [address = '', length = '', more] = text.split('/');
  const family = isIP(address);
  return family !== 0 && more === undefined && /^\d{1,3}$/.test(length) && Number(length) <= (family === 4 ? 32 : 128);
}

const verdict: AnswerRule = {
  rule: 'P-AZ-6',
  id: 'verdict',
  title: '"Allow" is true or false',
  wrong: (body) =>
    typeof field(body, 'Allow') === 'boolean' ? undefined : `has ${shown(field(body, 'Allow'))} for "Allow"`,
};

/** Method → the rule of its answers. What is looked at here would keep many cases from being judged. */
export const answerRules: Readonly<Record<string, AnswerRule>> = {
  [volumeDriverMethods.mount.method]: {
    rule: 'P-VOL-5',
    id: 'mountpoint',
    title: 'mount points are absolute paths',
    wrong: (body) =>
      stringField(body, 'Mountpoint').startsWith('/')
        ? undefined
        : `has ${shown(field(body, 'Mountpoint'))} for "Mountpoint"`,
  },
  [volumeDriverMethods.get.method]: {
    rule: 'P-VOL-8',
    id: 'description',
    title: 'CreatedAt is a time of RFC 3339, and Status a map',
    wrong: (body) => {
      const volume = objectField(body, 'Volume');
      if (volume === undefined) return undefined;
      const createdAt = field(volume, 'CreatedAt') ?? '';
      const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
      if (createdAt !== '' && !(typeof createdAt === 'string' && rfc3339.test(createdAt)))
        return `has ${shown(createdAt)} for "CreatedAt"`;
      const status = field(volume, 'Status') ?? {};
      return typeof status === 'object' && !Array.isArray(status) ? undefined : `has ${shown(status)} for "Status"`;
    },
  },
  [ipamDriverMethods.requestPool.method]: {
    rule: 'P-IPAM-1',
    id: 'pool',
    title: 'a pool has an id, and is told in CIDR',
    wrong: (body) => {
      if (stringField(body, 'PoolID') === '') return `has ${shown(field(body, 'PoolID'))} for "PoolID"`;
      return isCidr(stringField(body, 'Pool')) ? undefined : `has ${shown(field(body, 'Pool'))} for "Pool"`;
    },
  },
  [ipamDriverMethods.requestAddress.method]: {
    rule: 'P-IPAM-4',
    id: 'address',
    title: 'an address is told in CIDR and never empty',
    wrong: (body) =>
      isCidr(stringField(body, 'Address')) ? undefined : `has ${shown(field(body, 'Address'))} for "Address"`,
  },
  [authorizationMethods.request.method]: verdict,
  [authorizationMethods.response.method]: verdict,
  [logDriverMethods.capabilities.method]: {
    rule: 'P-LOG-9',
    id: 'capabilities',
    title: 'what the driver can do is told in "Cap"',
    wrong: (body) => {
      if (field(body, 'ReadLogs') !== undefined) return 'tells "ReadLogs" outside of "Cap", where it is not seen';
      const told = field(field(body, 'Cap'), 'ReadLogs') ?? false;
      return typeof told === 'boolean' ? undefined : `has ${shown(told)} for "ReadLogs"`;
    },
  },
  [secretProviderMethods.getSecret.method]: {
    rule: 'P-SEC-1',
    id: 'value',
    title: 'the value is told in base64',
    wrong: (body) => {
      const value = field(body, 'Value');
      const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
      return typeof value === 'string' && base64.test(value) ? undefined : `has ${shown(value)} for "Value"`;
    },
  },
};
