import { describe, expect, test } from '@jest/globals';
import { type Answer, decode, encode } from 'dns-packet';
import { NameTable } from '../dns/name-table';
import { answerLocally, type ResolverView, TCP_SIZE } from '../dns/resolver';
import { parseQuery } from '../dns/wire';

const table = new NameTable();
for (let n = 0; n < 60; n++)
  table.set('net', {
    endpointId: `${n}`,
    names: [`one-${n}`, 'service'],
    ipv4: Uint8Array.of(192, 0, 2, n),
    ipv6: undefined,
    reverseNames: [],
  });
const view: ResolverView = {
  networks: [{ networkId: 'net', networkName: 'net', links: new Map() }],
  mayForward: true,
  ndotsSet: false,
};

/** @param udpPayloadSize what the client says it can take, by EDNS */
function ask(name: string, overTcp: boolean, udpPayloadSize?: number) {
  const additionals: Answer[] =
    udpPayloadSize === undefined
      ? []
      : [
          {
            type: 'OPT',
            name: '.',
            udpPayloadSize,
            extendedRcode: 0,
            ednsVersion: 0,
            flags: 0,
            flag_do: false,
            options: [],
          },
        ];
  const message = encode({ type: 'query', id: 7, flags: 256, questions: [{ type: 'A', name }], additionals });
  const query = parseQuery(message)!;
  const reply = answerLocally(table, view, message, query, overTcp ? TCP_SIZE : query.udpSize);
  if (reply === 'forward') throw new Error('the question was to be forwarded');
  const { answers = [], flag_tc } = decode(reply);
  return { bytes: reply.length, addresses: new Set(answers.map((one) => ('data' in one ? one.data : ''))), flag_tc };
}

describe('a name with sixty addresses', () => {
  test('is cut to what the client can take, and says so, over UDP', () => {
    const plain = ask('service', false);
    expect(plain.flag_tc).toBe(true);
    expect(plain.bytes).toBeLessThanOrEqual(512);
    expect(plain.addresses.size).toBeGreaterThan(20);
    const more = ask('service', false, 800);
    expect([more.flag_tc, more.addresses.size > plain.addresses.size]).toEqual([true, true]);
  });

  test('is told whole to clients that take large answers, and over TCP', () => {
    expect(ask('service', false, 4096)).toMatchObject({ flag_tc: false, addresses: { size: 60 } });
    expect(ask('service', true)).toMatchObject({ flag_tc: false, addresses: { size: 60 } });
  });

  test('comes in an order that differs, so that clients spread over the containers', () => {
    const firsts = Array.from({ length: 20 }, () => [...ask('service', true).addresses][0]);
    expect(new Set(firsts).size).toBeGreaterThan(1);
  });
});
